// The client of the components below, and the session of its user.
import { createContext, createElement, useCallback, useContext, useSyncExternalStore, type ReactNode } from "react";
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

export type Session = {
  readonly signedIn: boolean;
  readonly busy: boolean;
  readonly error: Error | null;
  readonly signUp: (input: SignUpInput) => Promise<boolean>;
  readonly signIn: (input: SignInInput) => Promise<boolean>;
  readonly signOut: () => Promise<void>;
};

/** Sign up, in and out. The functions resolve to whether it worked; `error` says why not. */
export function useSession(): Session {
  const client = useDarkroom();
  const token = useToken();
  const { busy, error, run } = useAction();
  return {
    signedIn: token !== null,
    busy,
    error,
    signUp: async (input) =>
      (await run(async () => {
        client.token = accepted((await client.run(SignUpDocument, { input })).signUp).token;
        return true;
      })) ?? false,
    signIn: async (input) =>
      (await run(async () => {
        client.token = accepted((await client.run(SignInDocument, { input })).signIn).token;
        return true;
      })) ?? false,
    signOut: async () => {
      await run(() => client.run(SignOutDocument, {}));
      client.token = null;
    },
  };
}
