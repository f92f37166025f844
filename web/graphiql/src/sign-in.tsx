// The form to sign in or up, so that no token needs to be copied.
import { useState, type FormEvent } from "react";

import { signIn, signUp } from "./api";
import type { Text } from "./text";

interface Props {
  text: Text;
  note?: string;
  maySignUp: boolean;
  onDone: () => Promise<void>;
}

export function SignIn({ text, note, maySignUp, onDone }: Props) {
  const [isNew, setIsNew] = useState(false);
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [email, password] = [String(form.get("email")), String(form.get("password"))];
    setIsBusy(true);
    setProblem("");
    try {
      if (isNew && !(await signUp(email, password))) {
        setIsNew(false);
        setProblem(text.checkMail);
        return;
      }
      if (!isNew) await signIn(email, password);
      await onDone();
    } catch (error) {
      setProblem(error instanceof TypeError || !(error instanceof Error) ? text.unreachable : error.message);
    } finally {
      setIsBusy(false);
    }
  }

  return (
    <form className="sign-in" onSubmit={(event) => void submit(event)} aria-label={isNew ? text.signUp : text.signIn}>
      <h2>{isNew ? text.signUp : text.signIn}</h2>
      {note && <p>{note}</p>}
      <label>
        {text.email}
        <input name="email" type="email" autoComplete="username" required autoFocus />
      </label>
      <label>
        {text.password}
        <input
          name="password"
          type="password"
          autoComplete={isNew ? "new-password" : "current-password"}
          required
        />
      </label>
      <p role="alert">{problem}</p>
      <button className="main" disabled={isBusy}>
        {isNew ? text.signUp : text.signIn}
      </button>
      {maySignUp && (
        <button type="button" className="link" onClick={() => setIsNew(!isNew)}>
          {isNew ? text.haveAccount : text.newHere}
        </button>
      )}
    </form>
  );
}
