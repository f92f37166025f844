// The client of the API with its session cookie, and the normalised cache that every view reads.
import { Client, fetchExchange, type Exchange, type OperationResult } from "@urql/core";
import { cacheExchange, type Cache, type UpdateResolver } from "@urql/exchange-graphcache";
import { Darkroom } from "@darkroom/client/client.ts";
import { cacheOptions, liveExchange } from "@darkroom/client/urql.ts";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { filter, map, pipe } from "wonka";
import {
  AlbumsDocument,
  type AlbumPartsFragment,
  type CreateAlbumMutation,
  type CreditsLiveSubscription,
  type GenerationFilter,
  type PicturesChangedSubscription,
} from "../gql/graphql.ts";
import { addLine } from "./ledger-cache.ts";
import { renewing } from "./links.ts";
import { createListeners } from "./listeners.ts";
import { nameOf, rereading } from "./reachability.ts";

export type Clients = {
  readonly darkroom: Darkroom;
  readonly urql: Client;
  /** Connect again and read what is shown, after the server was away. */
  readonly resume: () => void;
  /** Begin to renew the links to what is shown; return a function that stops it. */
  readonly renewLinks: () => () => void;
};

const LISTS = ["Pictures", "Ledger"];
const KEPT = ["Deployment", "Catalogue", "OwnStyles", "PictureModels"]; // what views are made of

/** Create the clients of one session in one language; the socket is authenticated once, so another session has others. */
export function createClients(locale: string): Clients {
  const darkroom = new Darkroom({ url: new URL("/graphql", location.href).href, locale });
  const { exchange, reread } = rereading(LISTS);
  const links = renewing();
  const urql = new Client({
    url: "/graphql",
    preferGetMethod: false,
    exchanges: [exchange, links.exchange, keepAnswers(), cacheExchange(studioCache()), newestOnly(), liveExchange(darkroom), fetchExchange],
    fetchOptions: () => requestOptions(darkroom),
  });
  const resume = () => {
    darkroom.reconnect();
    reread(urql);
  };
  return { darkroom, urql, resume, renewLinks: () => links.keep(urql) };
}

/** The options of each request; those of a single operation replace them all. */
export function requestOptions(darkroom: Darkroom): RequestInit {
  return { headers: darkroom.headers, credentials: "same-origin" };
}

type Change = PicturesChangedSubscription["galleryChanged"];

/** The cache of the client package; a SNAPSHOT, or a change that a filter may let in or out, reads the lists again. */
function studioCache() {
  const options = cacheOptions(notifyReread);
  const apply = options.updates?.["Subscription"]?.["galleryChanged"] as UpdateResolver | undefined;
  let seen: number | null = null; // the version of the last change
  let paid: number | null = null; // the same, of credits
  const subscriptions = {
    ...options.updates?.["Subscription"],
    galleryChanged: (...[result, args, cache, info]: Parameters<UpdateResolver>) => {
      const change = result["galleryChanged"] as unknown as Change;
      if (change.kind === "SNAPSHOT") {
        apply?.(result, args, cache, info);
        if (change.version !== seen) {
          rereadLists(cache, "generations");
          albumsChanged();
        }
        seen = change.version;
        return;
      }
      seen = change.version;
      if (change.kind !== "CREATED") albumsChanged();
      apply?.(result, args, cache, info);
      const hasEnded = !["PENDING", "PROCESSING"].includes(change.generation?.status ?? "");
      if (change.kind === "DELETED") return;
      // Those that show what is in progress read it as it begins.
      const isConcerned = ({ status }: GenerationFilter) => hasEnded || (change.kind === "CREATED" && status?.includes("PENDING"));
      rereadLists(cache, "generations", ({ filter }) => Boolean(filter && isConcerned(filter as GenerationFilter)));
    },
    creditsChanged: (...[result, , cache]: Parameters<UpdateResolver>) => {
      const change = result["creditsChanged"] as unknown as CreditsLiveSubscription["creditsChanged"];
      if (addLine(cache, change, paid)) rereadLists(cache, "transactions");
      paid = change.version;
    },
  };
  const ofEntries: UpdateResolver = (...[, , cache]) => {
    rereadLists(cache, "generations", ({ filter }) => Boolean((filter as GenerationFilter | null)?.albumId ?? (filter as GenerationFilter | null)?.tagIds));
    albumsChanged();
  };
  const ofStyles: UpdateResolver = (...[, , cache]) => cache.invalidate("Query", "styles", { first: 100, filter: { own: true } });
  const mutations = {
    ...options.updates?.["Mutation"],
    ...Object.fromEntries(["addToAlbum", "removeFromAlbum", "addTags", "removeTags", "renameTag"].map((name) => [name, ofEntries])),
    ...Object.fromEntries(["updateAlbum", "deleteAlbum"].map((name) => [name, () => albumsChanged()])),
    createAlbum: (...[result, , cache]: Parameters<UpdateResolver>) => {
      const { album } = result["createAlbum"] as CreateAlbumMutation["createAlbum"];
      if (album) addAlbum(cache, album);
      albumsChanged();
    },
    ...Object.fromEntries(["createStyle", "deleteStyle"].map((name) => [name, ofStyles])),
  };
  return {
    ...options,
    keys: { ...options.keys, StyleValue: () => null },
    resolvers: { ...options.resolvers, Generation: { chain: relayPagination() } },
    updates: { ...options.updates, Mutation: mutations, Subscription: subscriptions },
  };
}

/** Put a new album at the end of the list, before that is read again. */
function addAlbum(cache: Cache, album: AlbumPartsFragment): void {
  cache.updateQuery({ query: AlbumsDocument, variables: {} }, (found) => {
    if (!found?.viewer || found.viewer.albums.nodes.some(({ id }) => id === album.id)) return found;
    const { albums } = found.viewer;
    return { ...found, viewer: { ...found.viewer, albums: { ...albums, nodes: [...albums.nodes, album] } } };
  });
}

const albumListeners = createListeners();
let albumTimer: ReturnType<typeof setTimeout> | undefined;

/** Call `listener` soon after albums or tags may have changed; return a function that stops it. */
export const onAlbumsChanged = albumListeners.subscribe;

/** Once for several messages: a change of a hundred pictures has as many. */
function albumsChanged(): void {
  clearTimeout(albumTimer);
  albumTimer = setTimeout(albumListeners.notify, 150);
}

const rereads = createListeners();

/** Call `listener` when lists are read again, because changes may have been missed; return a function that stops it. */
export const onReread = rereads.subscribe;

/** Once the cache is as it will be. */
const notifyReread = (): void => queueMicrotask(rereads.notify);

type Concerned = (list: Record<string, unknown>) => boolean;

function rereadLists(cache: Cache, name: "generations" | "transactions", isConcerned: Concerned = () => true): void {
  const user = cache.resolve("Query", "viewer") as string | null;
  if (!user) return;
  let isAny = false;
  for (const field of cache.inspectFields(user)) {
    if (field.fieldName === name && isConcerned(field.arguments ?? {})) {
      cache.invalidate(user, field.fieldName, field.arguments ?? {});
      isAny = true;
    }
  }
  if (isAny) notifyReread();
}

/** Drop a message about a generation that is older than what another stream has said already. */
function newestOnly(): Exchange {
  const versions = new Map<string, number>();
  const isNewest = ({ operation, data }: OperationResult): boolean => {
    if (operation.kind !== "subscription") return true;
    const said = data?.generationProgress ?? data?.galleryChanged?.generation;
    if (!said?.id || typeof said.version !== "number") return true;
    const known = versions.get(said.id) ?? 0;
    versions.set(said.id, Math.max(known, said.version));
    return said.version >= known;
  };
  return ({ forward }) =>
    (operations) =>
      pipe(forward(operations), filter(isNewest));
}

/** Give the last answer of a query that cannot be read again beside the error: what is shown stays, for all who read it. */
function keepAnswers(): Exchange {
  const answers = new Map<number, OperationResult["data"]>();
  const complete = (result: OperationResult): OperationResult => {
    const { operation, data, error } = result;
    if (operation.kind !== "query" || !KEPT.includes(nameOf(operation))) return result;
    if (data) answers.set(operation.key, data);
    return error && !data ? { ...result, data: answers.get(operation.key) } : result;
  };
  return ({ forward }) =>
    (operations) =>
      pipe(forward(operations), map(complete));
}
