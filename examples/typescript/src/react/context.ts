// The client of the components below, and the session of its user.
import { createContext, createElement, useCallback, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import type { Darkroom } from "../client.ts";
import { accepted } from "../errors.ts";
import { SignInDocument, SignOutDocument, SignUpDocument, type SignInInput, type SignUpInput } from "../gql/graphql.ts";
import { useAction } from "./state.ts";

const Context = createContext<Darkroom | null>(null);

export function DarkroomProvider({ client, children }: { readonly client: Darkroom; readonly children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: client }, children);
}

export function useDarkroom(): Darkroom {
  const client = useContext(Context);
  if (!client) throw new Error("useDarkroom needs a <DarkroomProvider client={...}> above it.");
  return client;
}

/** The token of the client, or null; components render again when it changes. */
export function useToken(): string | null {
  const client = useDarkroom();
  return useSyncExternalStore(
    useCallback((listener) => client.onChange(listener), [client]),
    () => client.token,
    () => client.token,
  );
}

/** Another number for each session, null when signed out: what was read in an earlier one may be another account's. */
export function useSessionNumber(): number | null {
  const client = useDarkroom();
  const read = () => (client.signedIn ? client.session : null);
  return useSyncExternalStore(
    useCallback((listener) => client.onChange(listener), [client]),
    read,
    read,
  );
}

export type Session = {
  readonly signedIn: boolean;
  /** Also until a page with `credentials: "include"` knows whether its cookie holds a session. */
  readonly busy: boolean;
  readonly error: Error | null;
  /** The last `signUp` has opened no session: a mail says how to go on. */
  readonly mustVerifyEmail: boolean;
  readonly signUp: (input: SignUpInput) => Promise<boolean>;
  readonly signIn: (input: SignInInput) => Promise<boolean>;
  readonly signOut: () => Promise<void>;
};

/**
 * Sign up, in and out, by a token or, with `cookie: true`, by a cookie. The functions resolve to whether a session is open now;
 * `error` says why not.
 */
export function useSession(): Session {
  const client = useDarkroom();
  const { signedIn, isKnown } = useSignedIn();
  const { busy, error, run } = useAction();
  const [mustVerifyEmail, setMustVerifyEmail] = useState(false);
  return {
    signedIn,
    busy: busy || !isKnown,
    error,
    mustVerifyEmail,
    signUp: async (input) =>
      (await run(async () => {
        setMustVerifyEmail(false);
        const opened = accepted((await client.run(SignUpDocument, { input })).signUp);
        setMustVerifyEmail(opened.mustVerifyEmail);
        return !opened.mustVerifyEmail && enter(client, opened);
      })) ?? false,
    signIn: async (input) =>
      (await run(async () => {
        const { deviceToken } = client;
        const known = { ...(deviceToken !== null && !input.cookie && { deviceToken }), ...input };
        return enter(client, accepted((await client.run(SignInDocument, { input: known })).signIn));
      })) ?? false,
    signOut: async () => {
      const done = await run(() => client.run(SignOutDocument, {}));
      const isByCookie = client.token === null;
      client.token = null;
      if (!isByCookie) return;
      if (done) client.setCookieSession(false);
      else await client.findSession().catch(() => {}); // the cookie is there until the server has cleared it
    },
  };
}

/** Go on in the session that a payload has opened: where it has no token, a cookie has it. */
function enter(client: Darkroom, { token, deviceToken }: { token: string | null; deviceToken: string | null }): true {
  if (deviceToken !== null) client.deviceToken = deviceToken;
  client.token = token;
  if (token === null) client.setCookieSession(true);
  return true;
}

/** Ask once whether a cookie holds a session, where the page uses cookies. */
function useSignedIn(): { signedIn: boolean; isKnown: boolean } {
  const client = useDarkroom();
  const read = () => client.signedIn;
  const signedIn = useSyncExternalStore(
    useCallback((listener) => client.onChange(listener), [client]),
    read,
    read,
  );
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    if (signedIn !== null) return;
    setFailed(false);
    client.findSession().catch(() => setFailed(true));
  }, [client, signedIn]);
  return { signedIn: signedIn ?? false, isKnown: signedIn !== null || hasFailed };
}
