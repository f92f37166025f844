// The dialog to sign in or up, which any part of the page may open.
import { createContext, useContext, useMemo, useState, type FormEvent, type ReactNode } from "react";
import { useQuery } from "urql";
import { accepted, InputRefusedError } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Notice, Problem, TextField } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { DeploymentDocument, RequestPasswordResetDocument, RequestSignInLinkDocument } from "../../gql/graphql.ts";
import { auth } from "../../locales/auth.ts";
import { expectMail } from "./guest.ts";
import { ProviderButtons } from "./provider-buttons.tsx";
import style from "./sign-in.module.css";
import { useWelcome } from "./welcome.ts";

type Mode = "signIn" | "signUp";
type Value = { readonly open: (mode: Mode) => void };

const Context = createContext<Value>({ open: () => undefined });
export const useSignIn = () => useContext(Context);

const demo = document.documentElement.dataset["demo"];
const DEMO_PASSWORD = "darkroom-demo"; // of every development deployment, see `main.py seed`

export function SignInProvider({ children }: { readonly children: ReactNode }) {
  const [mode, setMode] = useState<Mode | null>(null);
  const value = useMemo(() => ({ open: setMode }), []);
  return (
    <Context value={value}>
      {children}
      {mode && <SignInDialog mode={mode} onMode={setMode} onClose={() => setMode(null)} />}
    </Context>
  );
}

type Props = { readonly mode: Mode; readonly onMode: (mode: Mode) => void; readonly onClose: () => void };

function SignInDialog({ mode, onMode, onClose }: Props) {
  const t = useText(auth);
  const problems = useText(problemTexts);
  const { viewer, clients, signIn, signUp } = useSession();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const [email, setEmail] = useState("");
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [notice, setNotice] = useState("");
  const rules = data?.deployment.signIn;
  const isNew = mode === "signUp";
  const isGuest = viewer?.isGuest ?? false;
  const welcome = useWelcome();

  /** Do something that may be refused, with the button of this name busy. */
  const run = async (name: string, act: () => Promise<void>) => {
    setBusy(name);
    setProblem(null);
    setNotice("");
    try {
      await act();
    } catch (refusal) {
      setProblem(refusal);
    } finally {
      setBusy(null);
    }
  };
  const enter = async (password: string, address = email) => {
    const taken = await signIn(address, password);
    onClose();
    welcome(taken);
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const password = String(form.get("password"));
    void run("submit", async () => {
      if (!isNew) return enter(password);
      if (!(await signUp({ email, password, name: String(form.get("name")) || undefined! }))) return setNotice(t.verify);
      onClose();
      toast(isGuest ? t.kept : t.done);
    });
  };
  const mail = (name: "link" | "forgot") =>
    void run(name, async () => {
      if (isGuest) expectMail(email); // before it is asked for: it may arrive before the answer
      if (name === "link") accepted((await clients.darkroom.run(RequestSignInLinkDocument, { email })).requestSignInLink);
      else accepted((await clients.darkroom.run(RequestPasswordResetDocument, { email })).requestPasswordReset);
      setNotice(t.linkSent);
    });
  const of = (field: string) =>
    problem instanceof InputRefusedError ? (problem.of(field) ?? problem.of(`input.${field}`)) : null;
  const isShownAtField = of("email") ?? of("password") ?? of("name");

  return (
    <Dialog isOpen onClose={onClose} title={isNew ? (isGuest ? t.keepTitle : t.signUp) : t.signIn}>
      {isGuest && <p className={fieldStyle["hint"]}>{isNew ? t.keepText : t.takesAlong}</p>}
      {demo && !isNew && (
        <>
          <Button
            look="outline"
            full
            icon="sparkle"
            busy={busy === "demo"}
            onPress={() => void run("demo", () => enter(DEMO_PASSWORD, demo))}
          >
            {t.demo}
          </Button>
          <p className={style["or"]}>{t.or}</p>
        </>
      )}
      <form className={fieldStyle["form"]} onSubmit={submit}>
        {isNew && <TextField name="name" label={t.name} hint={t.nameHint} autoComplete="name" error={of("name")} />}
        <TextField
          name="email" type="email" label={t.email} value={email} onChange={setEmail} isRequired autoFocus
          autoComplete="username" error={of("email")}
        />
        <TextField
          name="password" type="password" label={t.password} isRequired error={of("password")}
          autoComplete={isNew ? "new-password" : "current-password"}
          hint={isNew && rules ? t.passwordHint(rules.passwordMinLength) : null}
        />
        {problem !== null && !isShownAtField && <Problem>{messageOf(problem, problems)}</Problem>}
        {notice && <Notice>{notice}</Notice>}
        <Button type="submit" look="primary" size="large" full busy={busy === "submit"}>
          {isNew ? t.signUpDo : t.signInDo}
        </Button>
      </form>
      {!isNew && rules?.methods.includes("LINK") && (
        <div className={style["links"]}>
          <Button look="quiet" size="small" isDisabled={!email.includes("@")} busy={busy === "link"} onPress={() => mail("link")}>
            {t.link}
          </Button>
          <Button look="quiet" size="small" isDisabled={!email.includes("@")} busy={busy === "forgot"} onPress={() => mail("forgot")}>
            {t.forgot}
          </Button>
        </div>
      )}
      <ProviderButtons purpose={isNew && isGuest ? "link" : "signIn"} />
      <Button look="quiet" full onPress={() => (setProblem(null), onMode(isNew ? "signIn" : "signUp"))}>
        {isNew ? t.toSignIn : t.toSignUp}
      </Button>
    </Dialog>
  );
}
