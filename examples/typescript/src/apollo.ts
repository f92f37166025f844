// Apollo Client for Darkroom: the links, the cache policies, and how live changes reach the cache.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, type ApolloCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import { Observable } from "rxjs";
import type { Darkroom, GalleryChange } from "./client.ts";
import { embeddedTypes, possibleTypes } from "./gql/cache.ts";
import { GenerationPartsFragmentDoc } from "./gql/graphql.ts";
import { takeFiles } from "./multipart.ts";

/** A cache that merges pages and knows which objects have ids. */
export function createCache(): InMemoryCache {
  return new InMemoryCache({
    possibleTypes,
    typePolicies: {
      ...Object.fromEntries(embeddedTypes.map((name) => [name, { merge: true }])),
      Query: { fields: { styles: relayStylePagination(["filter"]) } },
      User: {
        fields: {
          generations: relayStylePagination(["filter", "orderBy"]),
          transactions: relayStylePagination(["filter"]),
        },
      },
    },
  });
}

/** Subscriptions over the client's connection, which goes on where it was lost. */
export function liveLink(darkroom: Darkroom): ApolloLink {
  return new ApolloLink(
    ({ query, variables }) =>
      new Observable((observer) =>
        darkroom.subscribe<Record<string, unknown>, Record<string, unknown>>(query, variables, {
          next: (data) => observer.next({ data }),
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        }),
      ),
  );
}

/**
 * Operations by the client's own requests: files among their variables by the multipart specification, trusted documents by their
 * hash; `context.onProgress` sees the bytes.
 */
export function uploadLink(darkroom: Darkroom): ApolloLink {
  return new ApolloLink(
    (operation) =>
      new Observable((observer) => {
        const abort = new AbortController();
        const { onProgress } = operation.getContext();
        const request = { ...darkroom.requestOf(operation.query), variables: operation.variables };
        darkroom.send(request, { signal: abort.signal, ...(onProgress && { onProgress }) }).then(
          (answer) => {
            observer.next(answer as ApolloLink.Result);
            observer.complete();
          },
          (error: unknown) => observer.error(error),
        );
        return () => abort.abort();
      }),
  );
}

/** Subscriptions by sockets, files by forms, trusted documents by their hash, everything else by Apollo's own link. */
export function createLink(darkroom: Darkroom): ApolloLink {
  const http = new SetContextLink(({ headers }) => ({ headers: { ...(headers as object), ...darkroom.headers } })).concat(
    new HttpLink({ uri: darkroom.url, credentials: darkroom.credentials }),
  );
  return ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    liveLink(darkroom),
    ApolloLink.split(
      ({ query, variables }) => "documentId" in darkroom.requestOf(query) || takeFiles(variables).files.size > 0,
      uploadLink(darkroom),
      http,
    ),
  );
}

export function createApolloClient(darkroom: Darkroom): ApolloClient {
  return new ApolloClient({ link: createLink(darkroom), cache: createCache() });
}

/** Put a change of the gallery into the cache: a new generation in front of the unfiltered list, a deleted one out of all. */
export function applyGalleryChange(cache: ApolloCache, userId: string, change: GalleryChange): void {
  const id = change.generationId;
  if (!id || change.kind === "SNAPSHOT") return;
  if (change.kind === "DELETED") return removeGenerations(cache, userId, [id]);
  if (change.kind === "CREATED" && change.generation) addGeneration(cache, userId, change.generation);
}

type List = { edges?: { node: { __ref: string } }[]; totalCount?: number };

/** Put a generation in front of the account's newest ones; nothing changes where it is there already. */
export function addGeneration(cache: ApolloCache, userId: string, generation: { readonly id: string }): void {
  const node = { __typename: "Generation", ...generation };
  const reference = cache.writeFragment({ fragment: GenerationPartsFragmentDoc, fragmentName: "GenerationParts", data: node as never });
  cache.modify<Record<string, unknown>>({
    id: cache.identify({ __typename: "User", id: userId }) as string,
    fields: {
      generations(value, { storeFieldName, readField }) {
        const found = value as List;
        const isFiltered = storeFieldName.includes('"filter":{') || !/NEWEST|:\{\}|generations$/.test(storeFieldName);
        const edges = found.edges ?? [];
        if (!reference || isFiltered || edges.some((edge) => readField("id", edge.node) === generation.id)) return found;
        const edge = { __typename: "GenerationEdge", cursor: "", node: reference };
        return { ...found, edges: [edge, ...edges], totalCount: (found.totalCount ?? edges.length) + 1 };
      },
    },
  });
}

/** Take generations out of every list and out of the cache. */
export function removeGenerations(cache: ApolloCache, userId: string, ids: readonly string[]): void {
  cache.modify<Record<string, unknown>>({
    id: cache.identify({ __typename: "User", id: userId }) as string,
    fields: {
      generations(value, { readField }) {
        const found = value as List;
        const edges = (found.edges ?? []).filter((edge) => !ids.includes(readField("id", edge.node) as string));
        const removed = (found.edges ?? []).length - edges.length;
        return { ...found, edges, totalCount: (found.totalCount ?? edges.length + removed) - removed };
      },
    },
  });
  for (const id of ids) cache.evict({ id: cache.identify({ __typename: "Generation", id }) as string });
  cache.gc();
}
