// The session: who is signed in, and the ways in and out. It is a cookie that scripts cannot read.
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Provider as UrqlProvider, useQuery } from "urql";
import { accepted, InputRefusedError } from "@darkroom/client/errors.ts";
import { forgetReferral, referralCode } from "../features/auth/referral.ts";
import { createClients, type Clients } from "./clients.ts";
import { useLocale } from "./locale.tsx";
import {
  BeginAsGuestDocument,
  MeDocument,
  SignInHereDocument,
  SignOutDocument,
  SignUpDocument,
  type MePartsFragment,
} from "../gql/graphql.ts";

export type Viewer = MePartsFragment;

/** Shows the way alone; what an admin may see and do is decided by the API. */
export const isAdmin = (viewer: Viewer | null | undefined): boolean => viewer != null && viewer.role !== "USER";

export type Session = {
  /** Undefined while it is not known yet; null: signed out. */
  readonly viewer: Viewer | null | undefined;
  readonly clients: Clients;
  readonly signIn: (email: string, password: string) => Promise<void>;
  /** Create an account, or complete the guest's; false: a mail says how to go on. */
  readonly signUp: (input: { email: string; password: string; name?: string }) => Promise<boolean>;
  /** Begin as a guest, unless signed in already; return the clients of the session. */
  readonly begin: () => Promise<Clients>;
  readonly signOut: () => Promise<void>;
  /** Read the session again, here and in other tabs, after something else changed its cookie. */
  readonly restart: () => void;
};

const Context = createContext<Session | null>(null);

export function SessionProvider({ children }: { readonly children: ReactNode }) {
  const { locale } = useLocale();
  const [state, setState] = useState(() => ({ locale, clients: createClients(locale) }));
  const restart = useCallback(() => {
    const clients = createClients(locale);
    setState({ locale, clients });
    return clients;
  }, [locale]);
  if (state.locale !== locale) restart(); // the cache has texts in one language
  const { clients } = state;
  useEffect(() => () => clients.darkroom.close(), [clients]);
  return (
    <UrqlProvider value={clients.urql}>
      <Actions clients={clients} restart={restart}>
        {children}
      </Actions>
    </UrqlProvider>
  );
}

type ActionsProps = { readonly clients: Clients; readonly restart: () => Clients; readonly children: ReactNode };

function Actions({ clients, restart, children }: ActionsProps) {
  const [{ data, error }] = useQuery({ query: MeDocument });
  const { locale } = useLocale();
  const found = data ? (data.viewer ?? null) : error ? null : undefined;
  const known = useRef(found);
  if (found !== undefined) known.current = found;
  const viewer = found === undefined ? known.current : found; // the last one, while another client reads
  const isIn = Boolean(viewer);

  const channel = useRef<BroadcastChannel | null>(null); // other tabs sign in and out, too; it does not hear itself
  useEffect(() => {
    const opened = new BroadcastChannel("studio.session");
    opened.onmessage = () => void restart();
    channel.current = opened;
    return () => opened.close();
  }, [restart]);

  const value = useMemo<Session>(() => {
    const { darkroom } = clients;
    const changed = () => {
      channel.current?.postMessage(null);
      return restart();
    };
    return {
      viewer,
      clients,
      signIn: async (email, password) => {
        accepted((await darkroom.run(SignInHereDocument, { input: { email, password, cookie: true } })).signIn);
        changed();
      },
      signUp: async (input) => {
        const send = async (more: { referralCode?: string }) =>
          accepted((await darkroom.run(SignUpDocument, { input: { ...input, ...more, locale, cookie: true } })).signUp);
        const code = referralCode();
        const { mustVerifyEmail } = await send(code ? { referralCode: code } : {}).catch((refusal: unknown) => {
          if (!(refusal instanceof InputRefusedError && refusal.of("referralCode"))) throw refusal;
          return send({}); // whose code it was has left
        });
        forgetReferral();
        if (mustVerifyEmail) return false;
        changed();
        return true;
      },
      begin: async () => {
        if (isIn) return clients;
        accepted((await darkroom.run(BeginAsGuestDocument, {})).createGuest);
        return changed();
      },
      signOut: async () => {
        await darkroom.run(SignOutDocument, {}).catch(() => undefined); // the session may have ended already
        known.current = null;
        changed();
      },
      restart: () => void changed(),
    };
  }, [clients, isIn, viewer, locale, restart]);

  return <Context value={value}>{children}</Context>;
}

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("useSession needs a SessionProvider above it.");
  return session;
}
