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
import { useDarkroom, useToken } from "./context.ts";
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
  const token = useToken();
  return useLoaded(`collections ${token ?? ""}`, async (signal) => (await client.run(CollectionsDocument, {}, { signal })).collections);
}

/** The price of an order before it is made, with `errors` that say why it would be refused; null as input: none. */
export function useQuote(input: QuoteInput | null): Quote {
  const client = useDarkroom();
  const key = input && JSON.stringify(input);
  return useLoaded(key, async (signal) => {
    const { quote } = await client.run(QuoteDocument, { input: JSON.parse(key as string) as QuoteInput }, { signal });
    if (!quote) throw new Error("This cannot be ordered.");
    return quote;
  });
}
