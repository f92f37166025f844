// The second factor of an admin's account: an authenticator app, its recovery codes, its proof in this session.
import { Suspense, useState, type FormEvent } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { lazily } from "../../app/lazily.ts";
import { useText } from "../../app/locale.tsx";
import { Button, buttonClass } from "../../components/button.tsx";
import { Badge } from "../../components/card.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { toast } from "../../components/toast.tsx";
import {
  ConfirmSecondFactorDocument,
  RemoveSecondFactorDocument,
  StartSecondFactorDocument,
  VerifySecondFactorDocument,
  type AccountSecurityQuery,
} from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction, useMutate } from "./action.ts";
import { Secret, Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

const QrCode = lazily(() => import("./qr-code.tsx"));

type Factor = NonNullable<AccountSecurityQuery["viewer"]>["secondFactor"];
type Props = { readonly factor: Factor; readonly onChange: () => void };
type App = { readonly secret: string; readonly uri: string };

export function SecondFactorSection({ factor, onChange }: Props) {
  const t = useText(account);
  const when = useWhen();
  const [isSettingUp, setSettingUp] = useState(false);
  const [isRemoving, setRemoving] = useState(false);
  return (
    <Section title={t.factor} text={t.factorText}>
      {factor ? (
        <>
          <p className={style["status"]}>
            <span>{t.factorSince(when(factor.since, false))}</span>
            <Badge icon={factor.isProved ? "check" : "warning"}>{factor.isProved ? t.proved : t.notProved}</Badge>
            <Badge>{t.codesLeft(factor.recoveryCodesLeft)}</Badge>
          </p>
          {!factor.isProved && <ProofForm onProved={onChange} />}
          <div className={style["acts"]}>
            <Button look="danger" onPress={() => setRemoving(true)}>
              {t.removeFactor}
            </Button>
          </div>
        </>
      ) : (
        <div className={style["acts"]}>
          <Button look="primary" icon="shield" onPress={() => setSettingUp(true)}>
            {t.setUpFactor}
          </Button>
        </div>
      )}
      {isSettingUp && <SetUpDialog onClose={() => (setSettingUp(false), onChange())} />}
      {isRemoving && <RemoveDialog onClose={() => (setRemoving(false), onChange())} />}
    </Section>
  );
}

type CodeProps = { readonly label: string; readonly hint?: string; readonly error: string | null; readonly isFirst?: boolean };

function CodeField({ label, hint, error, isFirst = false }: CodeProps) {
  return (
    <TextField
      name="code"
      label={label}
      hint={hint}
      isRequired
      autoFocus={isFirst}
      autoComplete="one-time-code"
      spellCheck="false"
      error={error}
    />
  );
}

function codeOf(event: FormEvent<HTMLFormElement>): string {
  event.preventDefault();
  return String(new FormData(event.currentTarget).get("code"));
}

function ProofForm({ onProved }: { readonly onProved: () => void }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    const code = codeOf(event);
    void action
      .run(async () => accepted((await mutate(VerifySecondFactorDocument, { code })).verifySecondFactor))
      .then((done) => {
        if (!done) return;
        toast(t.provedNow);
        onProved();
      });
  };
  const problem = action.besides("code");
  return (
    <form className={style["form"]} onSubmit={submit}>
      <CodeField label={t.code} hint={t.codeHint} error={action.of("code")} />
      {problem && <Problem>{problem}</Problem>}
      <div className={style["acts"]}>
        <Button type="submit" look="primary" busy={action.isBusy}>
          {t.prove}
        </Button>
      </div>
    </form>
  );
}

function SetUpDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useText(account);
  const [app, setApp] = useState<App | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  return (
    <Dialog isOpen title={codes ? t.recoveryCodes : t.setUpFactor} width="32rem" onClose={onClose}>
      {codes ? (
        <>
          <p>{t.recoveryText}</p>
          <Secret label={t.recoveryCodes} text={codes.join("\n")} file="recovery-codes.txt" />
          <Button full onPress={onClose}>
            {t.kept}
          </Button>
        </>
      ) : app ? (
        <ConfirmForm app={app} onCodes={setCodes} />
      ) : (
        <StartForm onApp={setApp} />
      )}
    </Dialog>
  );
}

function StartForm({ onApp }: { readonly onApp: (app: App) => void }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get("password")) || null;
    void action.run(async () => {
      const { secret, uri } = accepted((await mutate(StartSecondFactorDocument, { input: { password } })).startSecondFactor);
      if (secret && uri) onApp({ secret, uri });
    });
  };
  const problem = action.besides("password");
  return (
    <form className={style["steps"]} onSubmit={submit}>
      <p>{t.startFactorText}</p>
      <TextField
        name="password" type="password" label={t.password} hint={t.passwordMaybe} autoFocus autoComplete="current-password"
        error={action.of("password")}
      />
      {problem && <Problem>{problem}</Problem>}
      <Button type="submit" look="primary" full busy={action.isBusy}>
        {t.goOn}
      </Button>
    </form>
  );
}

function ConfirmForm({ app, onCodes }: { readonly app: App; readonly onCodes: (codes: readonly string[]) => void }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    const code = codeOf(event);
    void action.run(async () => {
      const { recoveryCodes } = accepted((await mutate(ConfirmSecondFactorDocument, { code })).confirmSecondFactor);
      onCodes(recoveryCodes ?? []);
    });
  };
  const problem = action.besides("code");
  return (
    <form className={style["steps"]} onSubmit={submit}>
      <p>{t.addToApp}</p>
      <div className={style["scan"]}>
        <Suspense fallback={<div className={style["qr"]} />}>
          <QrCode text={app.uri} label={t.qrCode} />
        </Suspense>
        <Secret label={t.secret} text={app.secret} />
      </div>
      <a className={buttonClass({ full: true })} href={app.uri}>
        <Icon name="external" />
        {t.openApp}
      </a>
      <CodeField label={t.firstCode} hint={t.firstCodeHint} error={action.of("code")} />
      {problem && <Problem>{problem}</Problem>}
      <Button type="submit" look="primary" full busy={action.isBusy}>
        {t.switchOn}
      </Button>
    </form>
  );
}

function RemoveDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    const code = codeOf(event);
    void action
      .run(async () => accepted((await mutate(RemoveSecondFactorDocument, { code })).removeSecondFactor))
      .then((done) => {
        if (!done) return;
        toast(t.factorRemoved);
        onClose();
      });
  };
  const problem = action.besides("code");
  return (
    <Dialog isOpen title={t.removeFactor} onClose={onClose}>
      <form className={style["steps"]} onSubmit={submit}>
        <p>{t.removeFactorText}</p>
        <CodeField label={t.code} hint={t.codeHint} error={action.of("code")} isFirst />
        {problem && <Problem>{problem}</Problem>}
        <Button type="submit" look="danger" full busy={action.isBusy}>
          {t.removeFactor}
        </Button>
      </form>
    </Dialog>
  );
}
