// What can be ordered, and what it costs.
import {
  CollectionsDocument,
  DeploymentDocument,
  QuoteDocument,
  type CollectionsQuery,
  type DeploymentQuery,
  type QuoteInput,
  type QuoteQuery,
} from "../gql/graphql.ts";
import { useDarkroom, useSessionNumber } from "./context.ts";
import { useBalanceChanges } from "./credits.ts";
import { useLoaded, type Loaded } from "./state.ts";

export type Deployment = Loaded<DeploymentQuery["deployment"]>;
export type Collections = Loaded<CollectionsQuery["collections"]>;
export type Quote = Loaded<NonNullable<QuoteQuery["quote"]>>;

/** What the deployment offers: languages, limits of uploads, how one signs in and pays. */
export function useDeployment(): Deployment {
  const client = useDarkroom();
  return useLoaded("deployment", async (signal) => (await client.run(DeploymentDocument, {}, { signal })).deployment);
}

/** The catalogue, as this viewer sees it. */
export function useCollections(): Collections {
  const client = useDarkroom();
  const session = useSessionNumber();
  return useLoaded("collections", async (signal) => (await client.run(CollectionsDocument, {}, { signal })).collections, session);
}

/**
 * The price of an order before it is made, with `errors` that say why it would be refused; null as input: none. It is read again
 * when the account's balance changes.
 */
export function useQuote(input: QuoteInput | null): Quote {
  const client = useDarkroom();
  const session = useSessionNumber();
  const changes = useBalanceChanges(input !== null);
  const read = async (signal: AbortSignal) => {
    const { quote } = await client.run(QuoteDocument, { input: input as QuoteInput }, { signal });
    if (!quote) throw new Error("This cannot be ordered.");
    return quote;
  };
  return useLoaded(input && `${changes} ${JSON.stringify(input)}`, read, session);
}
