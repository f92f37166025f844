// The whole app: signed out a form, signed in the balance, an order and the gallery.
import { useState, type FormEvent, type ReactNode } from "react";
import { useData } from "./data.ts";
import { Gallery } from "./gallery.tsx";
import { OrderForm } from "./order.tsx";
import { Problem } from "./problem.tsx";

export function Studio({ name }: { readonly name: string }): ReactNode {
  const session = useData().useSession();
  return <main>{session.signedIn ? <Rooms name={name} signOut={session.signOut} /> : <SignIn name={name} />}</main>;
}

function Rooms({ name, signOut }: { readonly name: string; readonly signOut: () => Promise<void> }): ReactNode {
  const { credits } = useData().useCredits();
  return (
    <>
      <header>
        <h1>Darkroom with {name}</h1>
        <output aria-label="Credits">{credits ?? "…"}</output>
        <button onClick={() => void signOut()}>Sign out</button>
      </header>
      <OrderForm credits={credits} />
      <Gallery />
    </>
  );
}

function SignIn({ name }: { readonly name: string }): ReactNode {
  const { signUp, signIn, busy, error, mustVerifyEmail } = useData().useSession();
  const [isNew, setIsNew] = useState(true);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const account = { email: String(form.get("email")), password: String(form.get("password")) };
    void (isNew ? signUp(account) : signIn(account));
  };
  return (
    <form onSubmit={submit} aria-label="Account">
      <h1>Darkroom with {name}</h1>
      <input name="email" type="email" placeholder="E-mail" autoComplete="email" required />
      <input name="password" type="password" placeholder="Password" autoComplete="current-password" required minLength={8} />
      <button disabled={busy}>{isNew ? "Create account" : "Sign in"}</button>
      <button type="button" className="link" onClick={() => setIsNew(!isNew)}>
        {isNew ? "I have an account" : "I am new here"}
      </button>
      {mustVerifyEmail && <p>A mail says how to go on.</p>}
      <Problem of={error} />
    </form>
  );
}
