// urql for Darkroom: the exchanges, the normalised cache, and how live changes reach it.
import {
  Client, fetchExchange, makeOperation, mapExchange, subscriptionExchange, type Exchange, type Operation, type SubscriptionForwarder,
} from "@urql/core";
import { cacheExchange, type Cache, type CacheExchangeOpts, type DataFields, type FieldInfo, type ResolveInfo, type Variables } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { Kind, type DocumentNode } from "graphql";
import type { Darkroom, GalleryChange } from "./client.ts";
import { embeddedTypes, possibleTypes } from "./gql/cache.ts";
import { lazyDocument } from "./lazy-document.ts";

const edges = embeddedTypes.filter((name) => name.endsWith("Edge"));

/** An edge is its place in a list and what is there: the lists of two accounts have equal cursors. */
export function edgeKey({ cursor, node }: DataFields): string | null {
  const { id } = (node ?? {}) as { id?: string };
  return typeof cursor === "string" && id ? `${cursor} ${id}` : null;
}

/**
 * Options of graphcache: keys, pages, optimistic favorites and deletion, and what mutations and live changes move. `onReread`:
 * called when lists are read again from their first page on, because only the server knows the place of what has changed.
 */
export function cacheOptions(onReread: () => void = () => {}): CacheExchangeOpts {
  const lists = ordered(onReread);
  return {
    possibleTypes,
    keys: {
      ...Object.fromEntries(embeddedTypes.map((name) => [name, () => null])),
      ...Object.fromEntries(edges.map((name) => [name, edgeKey])),
    },
    resolvers: {
      Query: { styles: relayPagination() },
      User: { generations: relayPagination(), transactions: relayPagination() },
    },
    optimistic: {
      setFavorite: ({ id, isFavorite }) => ({
        __typename: "GenerationPayload",
        generation: { __typename: "Generation", id: id as string, isFavorite: isFavorite as boolean },
        errors: [],
      }),
      setFavorites: ({ ids, isFavorite }) => ({
        __typename: "ChangedGenerationsPayload",
        generations: (ids as string[]).map((id) => ({ __typename: "Generation", id, isFavorite: isFavorite as boolean })),
        errors: [],
      }),
      deleteGenerations: ({ ids }) => ({ __typename: "DeletedPayload", deletedIds: ids as string[], viewer: null, errors: [] }),
    },
    updates: {
      Mutation: {
        deleteGenerations: (result, _, cache) => {
          const { deletedIds } = result["deleteGenerations"] as { deletedIds: string[] };
          for (const id of deletedIds) removeGeneration(cache, id);
        },
        ...Object.fromEntries(
          ["createGeneration", "regenerate", "refineGeneration"].map((name) => [
            name,
            (result: DataFields, _: unknown, cache: Cache) => {
              const { generations } = result[name] as { generations: { id: string }[] };
              for (const one of generations) addGeneration(cache, one.id);
              if (generations.length) lists.created(cache);
            },
          ]),
        ),
        ...Object.fromEntries(
          ["setFavorite", "setFavorites"].map((name) => [
            name,
            (result: DataFields, { isFavorite }: Variables, cache: Cache, { optimistic }: ResolveInfo) => {
              if (optimistic) return;
              const { generation, generations } = result[name] as { generation?: { id: string }; generations?: { id: string }[] };
              for (const one of generations ?? [generation]) if (one) lists.marked(cache, one.id, isFavorite as boolean);
            },
          ]),
        ),
      },
      Subscription: {
        galleryChanged: ({ galleryChanged }, _, cache) => applyGalleryChange(cache, lists, galleryChanged as unknown as GalleryChange),
      },
    },
  };
}

/** Subscriptions over the client's connection, which goes on where it was lost. */
export function liveExchange(darkroom: Darkroom): Exchange {
  const forwardSubscription: SubscriptionForwarder = (request, { query }) => ({
    subscribe: (sink) => {
      const variables = (request.variables ?? {}) as Record<string, unknown>;
      const unsubscribe = darkroom.subscribe<Record<string, unknown>, Record<string, unknown>>(query, variables, {
        next: (data) => sink.next({ data }),
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
      return { unsubscribe };
    },
  });
  return subscriptionExchange({ forwardSubscription });
}

/** Queries and mutations by the hash of their document, where the client has `trustedDocuments`; in front of fetchExchange. */
export function trustedDocumentsExchange(darkroom: Darkroom): Exchange {
  const documents = new WeakMap<object, DocumentNode>();
  const withDocument = (operation: Operation, query: DocumentNode) => makeOperation(operation.kind, { ...operation, query }, operation.context);
  return mapExchange({
    onOperation: (operation) => {
      const { documentId } = darkroom.requestOf(operation.query);
      if (!documentId || operation.kind === "teardown") return operation;
      const named = { kind: Kind.DOCUMENT, definitions: [], documentId } as const; // which fetchExchange knows
      documents.set(named, operation.query);
      return withDocument(operation, named);
    },
    onResult: (result) => {
      const document = documents.get(result.operation.query);
      return document ? { ...result, operation: withDocument(result.operation, document) } : result;
    },
  });
}

/** urql's own fetchExchange sends files by the multipart specification, so nothing else is needed for photos. */
export function createUrqlClient(darkroom: Darkroom): Client {
  return new Client({
    url: darkroom.url,
    exchanges: [cacheExchange(cacheOptions()), liveExchange(darkroom), trustedDocumentsExchange(darkroom), fetchExchange],
    fetchOptions: () => ({ headers: darkroom.headers, credentials: darkroom.credentials }),
  });
}

function applyGalleryChange(cache: Cache, lists: Ordered, { kind, generationId: id, generation }: GalleryChange): void {
  if (kind === "SNAPSHOT") lists.missed();
  if (!id) return;
  if (kind === "DELETED") removeGeneration(cache, id);
  if (kind === "CREATED") {
    addGeneration(cache, id);
    lists.created(cache);
  }
  const { status, isFavorite } = (generation ?? {}) as { status?: string; isFavorite?: boolean }; // what the app has selected
  const isInProgress = status === "PENDING" || status === "PROCESSING";
  if (kind === "UPDATED" && !isInProgress && (status ?? isFavorite) !== undefined) lists.marked(cache, id, isFavorite);
}

type Order = { readonly filter?: unknown; readonly orderBy?: unknown };
type Ordered = {
  readonly created: (cache: Cache) => void;
  /** `isFavorite`: undefined where it is not known. */
  readonly marked: (cache: Cache, id: string, isFavorite: boolean | undefined) => void;
  /** Changes may have been missed. */
  readonly missed: () => void;
};

/** Read lists again in which a change has a place that only the server knows. */
function ordered(onReread: () => void): Ordered {
  const marks = new Map<string, boolean>(); // by which lists were read: a mutation and its own event are one change
  const reread = (cache: Cache, isConcerned: (list: Order) => boolean) => {
    const concerned = generationLists(cache).filter(({ field }) => isConcerned(field.arguments ?? {}));
    for (const { user, field } of concerned) cache.invalidate(user, field.fieldName, field.arguments ?? {});
    if (concerned.length) onReread();
  };
  return {
    // Not those with it in front, to which it was added, nor those whose filter may leave it out.
    created: (cache) => reread(cache, ({ filter, orderBy }) => !filter && Boolean(orderBy && orderBy !== "NEWEST")),
    marked: (cache, id, isFavorite) => {
      if (isFavorite !== undefined && marks.get(id) === isFavorite) return;
      if (isFavorite !== undefined) marks.set(id, isFavorite);
      reread(cache, ({ orderBy }) => orderBy === "FAVORITES_FIRST");
    },
    missed: () => marks.clear(),
  };
}

/** The lists of generations in the cache: each page is one field of the account. */
function generationLists(cache: Cache): { user: string; field: FieldInfo }[] {
  const user = cache.resolve("Query", "viewer") as string | null;
  if (!user) return [];
  return cache.inspectFields(user).filter(({ fieldName }) => fieldName === "generations").map((field) => ({ user, field }));
}

/** Take a generation out of every page. Whether a page has it, and not the entity, says whether it was counted. */
function removeGeneration(cache: Cache, id: string): void {
  const key = cache.keyOfEntity({ __typename: "Generation", id });
  const counted = new Set<string>(); // the filters of the lists that had it
  for (const { user, field } of generationLists(cache)) {
    const list = cache.resolve(user, field.fieldKey) as string | null;
    const edges = (list && (cache.resolve(list, "edges") as string[] | null)) || [];
    const others = edges.filter((edge) => cache.resolve(edge, "node") !== key);
    if (!list || others.length === edges.length) continue;
    cache.link(list, "edges", others);
    counted.add(filterOf(field));
  }
  if (counted.size) count(cache, -1, counted.add(EVERYTHING));
  cache.invalidate({ __typename: "Generation", id });
}

/** Put a generation, which is in the cache already, in front of the account's newest ones. */
function addGeneration(cache: Cache, id: string): void {
  const node = { __typename: "Generation", id };
  if (!cache.resolve(node, "id")) return;
  let isNew = false;
  for (const { user, field } of generationLists(cache)) {
    const { after, filter, orderBy } = field.arguments ?? {};
    const list = cache.resolve(user, field.fieldKey) as string | null;
    const edges = list && (cache.resolve(list, "edges") as string[] | null);
    const key = cache.keyOfEntity(node);
    if (after || filter || (orderBy && orderBy !== "NEWEST") || !edges) continue;
    if (edges.some((edge) => cache.resolve(edge, "node") === key)) continue;
    const edge = { __typename: "GenerationEdge", cursor: id, node };
    cache.writeFragment(edgeFragment, edge);
    cache.link(list, "edges", [cache.keyOfEntity(edge), ...edges]);
    isNew = true;
  }
  if (isNew) count(cache, 1, new Set([EVERYTHING]));
}

const EVERYTHING = "null"; // no filter

function filterOf({ arguments: given }: FieldInfo): string {
  return JSON.stringify(given?.["filter"] ?? null);
}

/** Move the count of the lists with these filters; each page has it. */
function count(cache: Cache, change: number, filters: ReadonlySet<string>): void {
  for (const { field } of generationLists(cache)) {
    if (!filters.has(filterOf(field))) continue;
    cache.updateQuery<CountQuery>({ query: countQuery, variables: field.arguments ?? {} }, (found) => {
      if (!found?.viewer) return null;
      const { generations } = found.viewer;
      return { ...found, viewer: { ...found.viewer, generations: { ...generations, totalCount: generations.totalCount + change } } };
    });
  }
}

type CountQuery = { viewer: { id: string; generations: { totalCount: number } } | null };

const countQuery = lazyDocument<CountQuery, Variables>(
  `query Count($first: Int, $after: String, $last: Int, $before: String, $filter: GenerationFilter, $orderBy: GenerationOrder) {
    viewer { id generations(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) { totalCount } }
  }`,
);

const edgeFragment = lazyDocument<DataFields, Variables>("fragment Edge on GenerationEdge { __typename cursor node { __typename id } }");
