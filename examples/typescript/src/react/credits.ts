// The balance, live.
import { useEffect, useState } from "react";
import type { CreditsChange } from "../client.ts";
import { CreditsChangedDocument, type TransactionPartsFragment } from "../gql/graphql.ts";
import { useDarkroom, useSessionNumber } from "./context.ts";
import { asError } from "./state.ts";

export type Credits = {
  /** Null until the first message. */
  readonly credits: number | null;
  readonly pass: CreditsChange["pass"] | null;
  readonly membership: CreditsChange["membership"] | null;
  /** Lines of the ledger since the component was mounted, newest first. */
  readonly lines: readonly TransactionPartsFragment[];
  readonly error: Error | null;
};

const NOTHING: Credits = { credits: null, pass: null, membership: null, lines: [], error: null };

/** Follow the account's credits, pass and membership while signed in. */
export function useCredits(): Credits {
  const client = useDarkroom();
  const session = useSessionNumber();
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    setState(NOTHING);
    if (session === null) return;
    let stop: (() => void) | null = () => {};
    const follow = (after: string | null) => {
      if (!stop) return;
      stop = client.subscribe(CreditsChangedDocument, { after }, {
        next: ({ creditsChanged: { credits, pass, membership, transaction } }) =>
          setState(({ lines }) => ({
            credits,
            pass,
            membership,
            lines: transaction ? [transaction, ...lines] : lines,
            error: null,
          })),
        error: (problem) => setState((before) => ({ ...before, error: asError(problem) })),
        complete: () => {},
      });
    };
    // A connection that is lost before the first line was seen has to go on after some line, too.
    void client.newestLine().then(follow, () => follow(null));
    return () => {
      stop?.();
      stop = null;
    };
  }, [client, session]);
  return state;
}

/** How often the balance, a pass or the membership has changed since this component began to follow them. */
export function useBalanceChanges(isWanted: boolean): number {
  const client = useDarkroom();
  const session = useSessionNumber();
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (session === null || !isWanted) return;
    let isFirst = true; // the present state
    return client.subscribe(CreditsChangedDocument, {}, {
      next: () => {
        if (!isFirst) setCount((before) => before + 1);
        isFirst = false;
      },
      error: () => {},
      complete: () => {},
    });
  }, [client, session, isWanted]);
  return count;
}
