// The balance, live.
import { useEffect, useState } from "react";
import type { CreditsChange } from "../client.ts";
import { CreditsChangedDocument, type TransactionPartsFragment } from "../gql/graphql.ts";
import { useDarkroom, useToken } from "./context.ts";
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
  const token = useToken();
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    setState(NOTHING);
    if (token === null) return;
    return client.subscribe(CreditsChangedDocument, {}, {
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
  }, [client, token]);
  return state;
}
