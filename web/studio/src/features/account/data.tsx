// The account's data: all of it in a file, and its deletion.
import { useEffect, useState, type FormEvent } from "react";
import { useLocation } from "wouter";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession, type Viewer } from "../../app/session.tsx";
import { Button, buttonClass } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Notice, Problem, TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { toast } from "../../components/toast.tsx";
import { DeleteAccountDocument, RequestDataExportDocument } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import { useAction } from "./action.ts";
import { Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

const POLL_MS = 3000; // between two looks at an export that is being made

type Export = { readonly url: string | null; readonly expiresAt: string | null };

export function ExportSection() {
  const t = useText(account);
  const when = useWhen();
  const { clients } = useSession();
  const action = useAction();
  const [found, setFound] = useState<Export | null>(null);
  const { run } = action;
  const request = () =>
    run(async () => {
      const { requestDataExport } = await clients.darkroom.run(RequestDataExportDocument, {});
      setFound(requestDataExport.dataExport ?? null); // null: it was refused, as after it could not be made
      accepted(requestDataExport);
    });
  const isPending = found !== null && found.url === null;
  useEffect(() => {
    if (!isPending) return;
    // The request returns the export that is being made, so it can be repeated.
    const timer = setInterval(() => void request(), POLL_MS);
    return () => clearInterval(timer);
  }, [isPending, clients]);
  const problem = action.besides();
  return (
    <Section title={t.exportTitle} text={t.exportText}>
      {problem && <Problem>{problem}</Problem>}
      {isPending && <Notice>{t.exportPending}</Notice>}
      {found?.url ? (
        <>
          <Notice>{found.expiresAt ? t.exportReady(when(found.expiresAt)) : t.exportReadyNow}</Notice>
          <div className={style["acts"]}>
            <a className={buttonClass({ look: "primary" })} href={found.url} download>
              <Icon name="download" />
              {t.exportDownload}
            </a>
          </div>
        </>
      ) : (
        <div className={style["acts"]}>
          <Button icon="download" busy={isPending || action.isBusy} onPress={() => void request()}>
            {t.exportDo}
          </Button>
        </div>
      )}
    </Section>
  );
}

export function DeletionSection({ viewer }: { readonly viewer: Viewer }) {
  const t = useText(account);
  const [isAsking, setAsking] = useState(false);
  return (
    <Section title={t.deletion} text={t.deletionText}>
      <div className={style["acts"]}>
        <Button look="danger" icon="trash" onPress={() => setAsking(true)}>
          {t.deletionDo}
        </Button>
      </div>
      {isAsking && <DeletionDialog viewer={viewer} onClose={() => setAsking(false)} />}
    </Section>
  );
}

function DeletionDialog({ viewer, onClose }: { readonly viewer: Viewer; readonly onClose: () => void }) {
  const t = useText(account);
  const { clients, restart } = useSession();
  const [, navigate] = useLocation();
  const action = useAction();
  const { open } = useSignIn();
  const isNamed = viewer.email !== null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const confirmEmail = isNamed ? String(form.get("email")) : viewer.id;
    const input = { confirmEmail, password: String(form.get("password") ?? "") || null };
    void action
      .run(async () => accepted((await clients.darkroom.run(DeleteAccountDocument, { input })).deleteAccount))
      .then((done) => {
        if (!done) return;
        restart();
        navigate("/");
        toast(t.deleted);
      });
  };
  const problem = action.besides("confirmEmail", "password");
  return (
    <Dialog isOpen role="alertdialog" title={t.deletion} width="30rem" onClose={onClose}>
      <p>{t.deletionList}</p>
      <ul className={style["list"]}>
        {t.deletionParts.map((part) => (
          <li key={part}>{part}</li>
        ))}
      </ul>
      <p>{t.deletionKept}</p>
      <form className={style["steps"]} onSubmit={submit}>
        {isNamed && (
          <>
            <TextField
              name="email" type="email" label={t.confirmEmail} hint={viewer.email} isRequired autoFocus autoComplete="off"
              error={action.of("confirmEmail")}
            />
            <TextField
              name="password" type="password" label={t.password} hint={t.passwordIfAny} autoComplete="current-password"
              error={action.of("password")}
            />
          </>
        )}
        {problem && <Problem>{problem}</Problem>}
        <div className={style["acts"]}>
          {action.code === "FORBIDDEN" && (
            <Button icon="person" onPress={() => (onClose(), open("signIn"))}>
              {t.signInAgain}
            </Button>
          )}
          <Button type="submit" look="danger" icon="trash" busy={action.isBusy}>
            {t.deletionDo}
          </Button>
          <Button onPress={onClose}>{t.cancel}</Button>
        </div>
      </form>
    </Dialog>
  );
}
