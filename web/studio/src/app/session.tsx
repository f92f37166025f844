// The session: who is signed in, and the ways in and out. It is a cookie that scripts cannot read.
import { createContext, useCallback, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Provider as UrqlProvider, useQuery } from "urql";
import { accepted, InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import { closeToast, toast } from "../components/toast.tsx";
import { enter, type Taken } from "../features/auth/guest.ts";
import { forgetReferral, referralCode } from "../features/auth/referral.ts";
import { createClients, type Clients } from "./clients.ts";
import { useLocale, useText } from "./locale.tsx";
import { isOffline } from "./problem.ts";
import { onReachability, serverIsAway } from "./reachability.ts";
import { finishBeforeLeaving, setTabOwner } from "./tab-owner.ts";
import {
  BeginAsGuestDocument,
  MeDocument,
  SignInHereDocument,
  SignOutDocument,
  SignUpDocument,
  type MePartsFragment,
} from "../gql/graphql.ts";
import { common } from "../locales/common.ts";

export type Viewer = MePartsFragment;

/** Shows the way alone; what an admin may see and do is decided by the API. */
export const isAdmin = (viewer: Viewer | null | undefined): boolean => viewer != null && viewer.role !== "USER";

export type Begun = { readonly clients: Clients; readonly owner: string };

export type Session = {
  /** Undefined while it is not known yet; null: signed out. */
  readonly viewer: Viewer | null | undefined;
  readonly clients: Clients;
  /** Why it is not known; null: it is, or it is being read for the first time. */
  readonly problem: unknown;
  readonly signIn: (email: string, password: string) => Promise<Taken>;
  /** Sign in in any way, and take along what a guest has made, if the account `isMeant` by the visitor. */
  readonly enter: (signIn: () => Promise<Viewer | null>, isMeant?: (user: Viewer) => boolean) => Promise<Taken>;
  /** Create an account, or complete the guest's; false: a mail says how to go on. */
  readonly signUp: (input: { email: string; password: string; name?: string }) => Promise<boolean>;
  /** Begin as a guest, unless signed in already; return the clients of the session, and whose it is. */
  readonly begin: () => Promise<Begun>;
  /** False: the session goes on, which the page has said. */
  readonly signOut: () => Promise<boolean>;
  /** Read the session again, here and in other tabs, after something else changed its cookie. */
  readonly restart: () => void;
};

const PAUSE = 1000; // milliseconds before the session is read again; doubled each time
const LONGEST_PAUSE = 30_000;
const UNTIL_CLOSED = 0; // of a message

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
  useEffect(() => onReachability(() => serverIsAway() || clients.resume()), [clients]);
  useEffect(() => clients.renewLinks(), [clients]);
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
  const [{ data, error }, reread] = useQuery({ query: MeDocument });
  const { locale, adopt } = useLocale();
  const t = useText(common);
  const hasEnded = error?.graphQLErrors.some(({ extensions }) => extensions["code"] === "UNAUTHENTICATED") ?? false;
  const found = data ? (data.viewer ?? null) : hasEnded ? null : undefined;
  const problem = found === undefined ? (error ?? null) : null;
  useAgain(problem, reread);
  const known = useRef(found);
  if (found !== undefined) known.current = found;
  const viewer = found === undefined ? known.current : found; // the last one, while another client reads
  // Before anything of another account is painted.
  useLayoutEffect(() => {
    if (viewer !== undefined) setTabOwner(viewer?.id ?? null);
  }, [viewer === undefined, viewer?.id]); // eslint-disable-line -- whose it is, alone
  useEffect(() => {
    if (viewer?.locale) adopt(viewer.locale);
  }, [viewer?.id, viewer?.locale, adopt]);

  const stillSignedIn = useRef<string | null>(null); // the message that says so
  const closeStillSignedIn = () => {
    if (stillSignedIn.current) closeToast(stillSignedIn.current);
    stillSignedIn.current = null;
  };
  useEffect(() => closeStillSignedIn, [viewer?.id]); // else its button would end the next session

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
    // What is shown may be older than the session.
    const current = async () => found ?? (await darkroom.run(MeDocument, {})).viewer ?? null;
    const signInBy: Session["enter"] = async (signIn, isMeant = () => true) => {
      await finishBeforeLeaving();
      const taken = await enter(darkroom, await current(), signIn, isMeant);
      changed();
      return taken;
    };
    // Scripts cannot remove the cookie: without the server's answer, the next visitor would be signed in.
    const signOut = async (): Promise<boolean> => {
      closeStillSignedIn();
      await finishBeforeLeaving();
      try {
        await darkroom.run(SignOutDocument, {});
      } catch (problem) {
        if (!(problem instanceof RefusedError && problem.code === "UNAUTHENTICATED")) {
          const again = { label: t.retry, run: () => void signOut() };
          stillSignedIn.current = toast(t.stillSignedIn, again, undefined, UNTIL_CLOSED);
          return false;
        }
      }
      known.current = null;
      changed();
      return true;
    };
    return {
      viewer,
      clients,
      problem,
      enter: signInBy,
      signIn: (email, password) =>
        signInBy(async () => {
          const input = { email, password, cookie: true };
          return accepted((await darkroom.run(SignInHereDocument, { input })).signIn).user;
        }),
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
        if (found) return { clients, owner: found.id };
        const now = await current().catch((refusal: unknown) => {
          if (viewer && isOffline(refusal)) return viewer; // who it is then, is seen when the order can be sent
          throw refusal;
        });
        if (viewer && now?.id === viewer.id) return { clients, owner: viewer.id };
        // What is shown is not theirs.
        if (viewer) throw new InputRefusedError([{ code: "CONFLICT", message: now ? t.notOrdered : t.notOrderedSignedOut }]);
        const { id } = now ?? accepted((await darkroom.run(BeginAsGuestDocument, {})).createGuest).user!;
        return { clients: changed(), owner: id };
      },
      signOut,
      restart: () => void changed(),
    };
  }, [clients, problem, found, viewer, locale, restart, t]);

  return <Context value={value}>{children}</Context>;
}

/** Read again what could not be read: after a pause that grows, and when the connection is back. */
function useAgain(problem: unknown, reread: (options: { requestPolicy: "network-only" }) => void): void {
  const tries = useRef(0);
  useEffect(() => {
    if (problem === null) {
      tries.current = 0;
      return;
    }
    const again = () => reread({ requestPolicy: "network-only" });
    const timer = setTimeout(again, Math.min(PAUSE * 2 ** tries.current++, LONGEST_PAUSE));
    addEventListener("online", again);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", again);
    };
  }, [problem, reread]);
}

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("useSession needs a SessionProvider above it.");
  return session;
}
