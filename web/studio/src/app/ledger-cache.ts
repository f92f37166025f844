// New lines of the ledger, put before those that the cache has.
import { lazyDocument } from "@darkroom/client/lazy-document.ts";
import type { Cache, DataFields, FieldInfo, Variables } from "@urql/exchange-graphcache";
import type { CreditsLiveSubscription, TransactionType } from "../gql/graphql.ts";

type Change = CreditsLiveSubscription["creditsChanged"];

const edge = lazyDocument<DataFields, Variables>("fragment Edge on CreditTransactionEdge { __typename cursor node { __typename id } }");

/** Put the line of a change before the lists that it belongs to; return whether lines before it were missed. */
export function addLine(cache: Cache, { transaction: line, version }: Change, before: number | null): boolean {
  if (!line) return before !== null && version > before;
  let isMissing = false;
  const node = { __typename: "CreditTransaction", id: line.id };
  for (const { user, field } of ledgers(cache)) {
    const { after, filter } = (field.arguments ?? {}) as { after?: string; filter?: { type?: TransactionType[] } };
    const list = cache.resolve(user, field.fieldKey) as string | null;
    const edges = list && (cache.resolve(list, "edges") as string[] | null);
    if (after || !edges || (filter?.type && !filter.type.includes(line.type))) continue;
    const newest = edges[0] ? (cache.resolve(cache.resolve(edges[0], "node") as string, "sequence") as number) : 0;
    if (newest >= line.sequence) continue;
    if (!filter && newest < line.sequence - 1) isMissing = true;
    const first = { __typename: "CreditTransactionEdge", cursor: line.id, node };
    cache.writeFragment(edge, first);
    cache.link(list, "edges", [cache.keyOfEntity(first), ...edges]);
  }
  return isMissing;
}

/** The ledger's lists in the cache: each page is one field of the account. */
export function ledgers(cache: Cache): { user: string; field: FieldInfo }[] {
  const user = cache.resolve("Query", "viewer") as string | null;
  if (!user) return [];
  return cache.inspectFields(user).filter(({ fieldName }) => fieldName === "transactions").map((field) => ({ user, field }));
}
