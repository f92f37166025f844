// What every view of the admin desk uses: requests past the cache, the second factor where it is asked for, and the
// signal that something has changed, after which what is shown is read again.
import { createContext, Suspense, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import { lazily } from "../../app/lazily.ts";
import { onFilesFailed } from "../../app/links.ts";
import { isOffline } from "../../app/problem.ts";
import { onReachability, serverIsAway, suspectServer } from "../../app/reachability.ts";
import { useSession } from "../../app/session.tsx";

const SecondFactorDialog = lazily(() => import("./second-factor.tsx"));

export type Desk = {
  /** Run an operation; where it needs the second factor, ask for it and run it again. */
  readonly run: <R, V>(document: TypedDocumentNode<R, V>, variables: V) => Promise<R>;
  /** The same for work that may be refused by the `errors` of a payload. */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>;
  /** Increases with every change by this desk. */
  readonly revision: number;
  readonly changed: () => void;
};

const Context = createContext<Desk | null>(null);

export function codeOf(problem: unknown): string | null {
  return problem instanceof RefusedError || problem instanceof InputRefusedError ? problem.code : null;
}

export function DeskProvider({ children }: { readonly children: ReactNode }) {
  const { clients } = useSession();
  const [revision, setRevision] = useState(0);
  const [isAsking, setAsking] = useState(false);
  const waiting = useRef<((isProved: boolean) => void)[]>([]);

  const ask = useCallback(
    () =>
      new Promise<boolean>((resolve) => {
        waiting.current.push(resolve);
        setAsking(true);
      }),
    [],
  );
  const answer = (isProved: boolean) => {
    setAsking(false);
    for (const resolve of waiting.current.splice(0)) resolve(isProved);
  };
  const attempt = useCallback(
    async <T,>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (problem) {
        if (isOffline(problem)) void suspectServer();
        if (codeOf(problem) !== "SECOND_FACTOR_REQUIRED" || !(await ask())) throw problem;
        return work();
      }
    },
    [ask],
  );
  const changed = useCallback(() => setRevision((found) => found + 1), []);
  useEffect(() => onReachability(() => serverIsAway() || changed()), [changed]);
  useEffect(() => onFilesFailed(changed), [changed]); // their links have ended
  const desk = useMemo<Desk>(
    () => ({
      attempt,
      run: (document, variables) => attempt(() => clients.darkroom.run(document, variables)),
      revision,
      changed,
    }),
    [attempt, changed, clients, revision],
  );
  return (
    <Context value={desk}>
      {children}
      {isAsking && (
        <Suspense>
          <SecondFactorDialog onAnswer={answer} />
        </Suspense>
      )}
    </Context>
  );
}

export function useDesk(): Desk {
  const desk = useContext(Context);
  if (!desk) throw new Error("useDesk needs a DeskProvider above it.");
  return desk;
}
