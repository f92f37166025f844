// What mailed links lead to. Nothing happens before a button is pressed: programs that scan mails open links, too.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { useQuery } from "urql";
import { useLocation } from "wouter";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { fieldStyle, Notice, Problem, TextField } from "../components/field.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useAction } from "../features/account/action.ts";
import style from "../features/account/account.module.css";
import { isMailExpected, type Taken } from "../features/auth/guest.ts";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { useWelcome } from "../features/auth/welcome.ts";
import {
  ChangeEmailDocument,
  ConfirmEmailDocument,
  DeploymentDocument,
  ResetPasswordHereDocument,
  SignInByLinkHereDocument,
} from "../gql/graphql.ts";
import { account } from "../locales/account.ts";
import { auth } from "../locales/auth.ts";
import { common } from "../locales/common.ts";

/** The token of the address, which is moved to where neither the bar nor a list of visited pages shows it. */
function useToken(): string {
  const [token] = useState(
    () => new URLSearchParams(location.search).get("token") ?? (history.state as { token?: string } | null)?.token ?? "",
  );
  useEffect(() => history.replaceState({ ...history.state, token }, "", location.pathname), [token]);
  return token;
}

type FrameProps = { readonly title: string; readonly text: string | null; readonly token: string; readonly children: ReactNode };

function Frame({ title, text, token, children }: FrameProps) {
  const t = useText(account);
  return (
    <div className={style["narrow"]}>
      <ViewTitle>{title}</ViewTitle>
      {!token && <Problem>{t.noToken}</Problem>}
      {token && text && <p className={style["lead"]}>{text}</p>}
      {token ? children : <ButtonLink to="/">{t.toStart}</ButtonLink>}
    </div>
  );
}

type ConfirmProps = {
  readonly title: string;
  readonly text: string;
  readonly done: string;
  readonly confirm: (token: string) => Promise<unknown>;
};

function Confirm({ title, text, done, confirm }: ConfirmProps) {
  const t = useText(account);
  const c = useText(common);
  const { viewer, restart } = useSession();
  const { open } = useSignIn();
  const token = useToken();
  const action = useAction();
  const [isDone, setDone] = useState(false);
  const act = () =>
    void action
      .run(() => confirm(token))
      .then((succeeded) => {
        if (!succeeded) return;
        setDone(true);
        restart(); // other sessions have ended, perhaps also this browser's
      });
  const problem = action.besides();
  return (
    <Frame title={title} text={isDone ? null : text} token={token}>
      {problem && <Problem>{problem}</Problem>}
      {isDone ? (
        <>
          <Notice>{done}</Notice>
          {viewer === null ? (
            <Button look="primary" full onPress={() => open("signIn")}>
              {c.signIn}
            </Button>
          ) : (
            <ButtonLink look="primary" full to="/account">
              {t.toAccount}
            </ButtonLink>
          )}
        </>
      ) : (
        <Button look="primary" size="large" full busy={action.isBusy} onPress={act}>
          {t.verifyDo}
        </Button>
      )}
    </Frame>
  );
}

export function VerifyEmailPage() {
  const t = useText(account);
  const { clients } = useSession();
  const confirm = async (token: string) => accepted((await clients.darkroom.run(ConfirmEmailDocument, { token })).verifyEmail);
  return <Confirm title={t.verifyTitle} text={t.verifyText} done={t.verifyDone} confirm={confirm} />;
}

export function ChangeEmailPage() {
  const t = useText(account);
  const { clients } = useSession();
  const confirm = async (token: string) => accepted((await clients.darkroom.run(ChangeEmailDocument, { token })).changeEmail);
  return <Confirm title={t.changeTitle} text={t.changeText} done={t.changeDone} confirm={confirm} />;
}

/** Return a function that leaves for the start, and says what came along. */
function useEntered(): (taken: Taken, done?: string) => void {
  const [, navigate] = useLocation();
  const welcome = useWelcome();
  return (taken, done) => {
    navigate("/", { replace: true });
    welcome(taken, done);
  };
}

export function SignInLinkPage() {
  const t = useText(account);
  const { clients, enter } = useSession();
  const entered = useEntered();
  const token = useToken();
  const action = useAction();
  const act = () =>
    void action.run(async () => {
      const signIn = async () => accepted((await clients.darkroom.run(SignInByLinkHereDocument, { token })).signInByLink).user;
      entered(await enter(signIn, isMailExpected));
    });
  const problem = action.besides();
  return (
    <Frame title={t.linkTitle} text={t.linkText} token={token}>
      {problem && <Problem>{problem}</Problem>}
      <Button look="primary" size="large" full busy={action.isBusy} onPress={act}>
        {t.linkDo}
      </Button>
    </Frame>
  );
}

export function ResetPasswordPage() {
  const t = useText(account);
  const a = useText(auth);
  const { clients, enter } = useSession();
  const entered = useEntered();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const token = useToken();
  const action = useAction();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get("password"));
    void action.run(async () => {
      const signIn = async () =>
        accepted((await clients.darkroom.run(ResetPasswordHereDocument, { token, password })).resetPassword).user;
      entered(await enter(signIn, isMailExpected), t.resetDone);
    });
  };
  const problem = action.besides("password");
  const min = data?.deployment.signIn.passwordMinLength;
  return (
    <Frame title={t.resetTitle} text={t.resetText} token={token}>
      <form className={fieldStyle["form"]} onSubmit={submit}>
        <TextField
          name="password" type="password" label={t.newPassword} isRequired autoFocus autoComplete="new-password"
          hint={min ? a.passwordHint(min) : null} error={action.of("password")}
        />
        {problem && <Problem>{problem}</Problem>}
        <Button type="submit" look="primary" size="large" full busy={action.isBusy}>
          {t.resetDo}
        </Button>
      </form>
    </Frame>
  );
}
