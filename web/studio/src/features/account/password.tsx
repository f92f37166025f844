// The password: changed by the present one, or by a mailed link.
import { useRef, useState, type FormEvent } from "react";
import { useQuery } from "urql";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession, type Viewer } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Notice, Problem, TextField } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { ChangePasswordDocument, DeploymentDocument, RequestPasswordResetDocument } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { auth } from "../../locales/auth.ts";
import { useAction } from "./action.ts";
import { Section } from "./section.tsx";
import style from "./account.module.css";

type Props = { readonly viewer: Viewer; readonly onChange: () => void };

/** `onChange`: the password is another one, and other sessions have ended. */
export function PasswordSection({ viewer, onChange }: Props) {
  const t = useText(account);
  const a = useText(auth);
  const { clients } = useSession();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const change = useAction();
  const mail = useAction();
  const [notice, setNotice] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    const input = { current: String(values.get("current")), new: String(values.get("new")) };
    void change
      .run(async () => accepted((await clients.darkroom.run(ChangePasswordDocument, { input })).changePassword))
      .then((done) => {
        if (!done) return;
        form.current?.reset();
        toast(t.passwordChanged);
        onChange();
      });
  };
  const reset = () => {
    setNotice("");
    const email = viewer.email ?? "";
    void mail
      .run(async () => accepted((await clients.darkroom.run(RequestPasswordResetDocument, { email })).requestPasswordReset))
      .then((done) => done && setNotice(t.mailSent(email)));
  };
  const problem = change.besides("current", "new") ?? mail.besides();
  const min = data?.deployment.signIn.passwordMinLength;
  return (
    <Section title={t.password} text={t.passwordText}>
      <form ref={form} className={style["form"]} onSubmit={submit}>
        <input type="text" name="username" autoComplete="username" defaultValue={viewer.email ?? ""} hidden />
        <TextField
          name="current" type="password" label={t.currentPassword} isRequired autoComplete="current-password"
          error={change.of("current")}
        />
        <TextField
          name="new" type="password" label={t.newPassword} isRequired autoComplete="new-password"
          hint={min ? a.passwordHint(min) : null} error={change.of("new")}
        />
        {problem && <Problem>{problem}</Problem>}
        {notice && <Notice>{notice}</Notice>}
        <div className={style["acts"]}>
          <Button type="submit" look="primary" busy={change.isBusy}>
            {t.changePassword}
          </Button>
          {viewer.email !== null && (
            <Button look="quiet" busy={mail.isBusy} onPress={reset}>
              {t.mailPassword}
            </Button>
          )}
        </div>
      </form>
    </Section>
  );
}
