// The account's address: whether it is confirmed, and its change.
import { useState, type FormEvent } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession, type Viewer } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Badge } from "../../components/card.tsx";
import { Notice, Problem, TextField } from "../../components/field.tsx";
import { RequestEmailChangeDocument, RequestEmailVerificationDocument } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction } from "./action.ts";
import { Section } from "./section.tsx";
import style from "./account.module.css";

export function EmailSection({ viewer }: { readonly viewer: Viewer }) {
  const t = useText(account);
  const { clients } = useSession();
  const action = useAction();
  const [notice, setNotice] = useState("");
  const [isChanging, setChanging] = useState(false);
  const verify = () => {
    setNotice("");
    void action
      .run(async () =>
        accepted((await clients.darkroom.run(RequestEmailVerificationDocument, {})).requestEmailVerification),
      )
      .then((done) => done && setNotice(t.mailSent(viewer.email ?? "")));
  };
  const problem = action.besides();
  return (
    <Section title={t.email} text={viewer.email === null ? t.noEmail : viewer.emailVerified ? null : t.unverifiedText}>
      {viewer.email !== null && (
        <p className={style["status"]}>
          <span className={style["address"]}>{viewer.email}</span>
          <Badge icon={viewer.emailVerified ? "check" : "warning"}>{viewer.emailVerified ? t.verified : t.unverified}</Badge>
        </p>
      )}
      {problem && <Problem>{problem}</Problem>}
      {notice && <Notice>{notice}</Notice>}
      {isChanging ? (
        <EmailForm
          onSent={(email) => {
            setChanging(false);
            setNotice(t.changeSent(email));
          }}
          onCancel={() => setChanging(false)}
        />
      ) : (
        <div className={style["acts"]}>
          {viewer.email !== null && !viewer.emailVerified && (
            <Button look="primary" busy={action.isBusy} onPress={verify}>
              {t.sendVerification}
            </Button>
          )}
          <Button
            onPress={() => {
              setNotice("");
              setChanging(true);
            }}
          >
            {viewer.email === null ? t.setEmail : t.changeEmail}
          </Button>
        </div>
      )}
    </Section>
  );
}

function EmailForm({ onSent, onCancel }: { readonly onSent: (email: string) => void; readonly onCancel: () => void }) {
  const t = useText(account);
  const { clients } = useSession();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const email = String(form.get("email"));
    const input = { email, password: String(form.get("password")) || null };
    void action
      .run(async () => accepted((await clients.darkroom.run(RequestEmailChangeDocument, { input })).requestEmailChange))
      .then((done) => done && onSent(email));
  };
  const problem = action.besides("email", "password");
  return (
    <form className={style["form"]} onSubmit={submit}>
      <TextField
        name="email" type="email" label={t.newEmail} hint={t.newEmailHint} isRequired autoFocus autoComplete="email"
        error={action.of("email")}
      />
      <TextField
        name="password" type="password" label={t.password} hint={t.passwordMaybe} autoComplete="current-password"
        error={action.of("password")}
      />
      {problem && <Problem>{problem}</Problem>}
      <div className={style["acts"]}>
        <Button type="submit" look="primary" busy={action.isBusy}>
          {t.sendLink}
        </Button>
        <Button onPress={onCancel}>{t.cancel}</Button>
      </div>
    </form>
  );
}
