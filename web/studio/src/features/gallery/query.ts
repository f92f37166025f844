// Which pictures the gallery shows: the choice is in the address, so that it survives a reload and can be kept.
import { useCallback, useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { filter as only, pipe, subscribe, take, type Source } from "wonka";
import { useSearchParams } from "wouter";
import { onReread } from "../../app/clients.ts";
import { useSession } from "../../app/session.tsx";
import { OffersVideosDocument, PicturesDocument, VideosDocument, type GenerationFilter, type GenerationOrder } from "../../gql/graphql.ts";
import { useHidden } from "../picture/deletion.ts";
import type { Shown } from "../picture/state.ts";

export const FILTERS = ["all", "favorites", "shared", "images", "videos", "active", "failed"] as const;
export type Filter = (typeof FILTERS)[number];
export const ORDERS: readonly GenerationOrder[] = ["NEWEST", "OLDEST", "FAVORITES_FIRST"];

export type Choice = {
  readonly search: string;
  readonly filter: Filter;
  readonly order: GenerationOrder;
  /** The id of an album; empty: all pictures. */
  readonly album: string;
  /** Ids of tags that all pictures have. */
  readonly tags: readonly string[];
  /** The id of a style; empty: any. */
  readonly style: string;
  /** The first and the last day, in the visitor's time zone, as 2026-11-30; empty: any. */
  readonly from: string;
  readonly to: string;
};
export const EVERYTHING: Choice = { search: "", filter: "all", order: "NEWEST", album: "", tags: [], style: "", from: "", to: "" };
export const MOST_TAGS = 5;

export function useChoice(): [Choice, (change: Partial<Choice>) => void] {
  const [params, setParams] = useSearchParams();
  const filter = FILTERS.find((one) => one === params.get("show")) ?? "all";
  const order = ORDERS.find((one) => one === params.get("order")) ?? "NEWEST";
  const tags = params.getAll("tag").slice(0, MOST_TAGS);
  const text = (name: string) => params.get(name) ?? "";
  const day = (name: string) => (startOf(text(name)) ? text(name) : "");
  const choice: Choice = {
    search: text("search"), filter, order, album: text("album"), tags, style: text("style"), from: day("from"), to: day("to"),
  };
  const change = (part: Partial<Choice>) => {
    const { search, filter: show, order: by, album, tags: words, style, from, to } = { ...choice, ...part };
    const next = new URLSearchParams();
    if (album) next.set("album", album);
    for (const tag of words) next.append("tag", tag);
    if (search) next.set("search", search);
    if (show !== "all") next.set("show", show);
    if (style) next.set("style", style);
    if (from) next.set("from", from);
    if (to) next.set("to", to);
    if (by !== "NEWEST") next.set("order", by);
    setParams(next, { replace: true });
  };
  return [choice, change];
}

/** The moment at which a day begins here; null: it is no day. `later`: days after it. */
function startOf(day: string, later = 0): Date | null {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? [];
  if (!year) return null;
  const found = new Date(Number(year), Number(month) - 1, Number(date) + later);
  return found.getFullYear() > 1970 ? found : null; // before there were pictures, and so while a year is being typed
}

/** Whether more is asked for than a search and one of the FILTERS. */
export const isNarrow = ({ tags, style, from, to }: Choice): boolean => tags.length > 0 || Boolean(style || from || to);

function filterOf({ search, filter, album, tags, style, from, to }: Choice): GenerationFilter | undefined {
  const after = startOf(from);
  const before = startOf(to, 1);
  const parts: GenerationFilter = {
    ...(search.trim() && { search: search.trim() }),
    ...(album && { albumId: album }),
    ...(tags.length && { tagIds: [...tags] }),
    ...(filter === "favorites" && { isFavorite: true }),
    ...(filter === "images" && { media: "IMAGE" as const }),
    ...(filter === "videos" && { media: "VIDEO" as const }),
    ...(filter === "shared" && { isShared: true }),
    ...(filter === "active" && { status: ["PENDING" as const, "PROCESSING" as const] }),
    ...(style && { styleId: style }),
    ...(after && { createdAfter: new Date(after.getTime() - 1).toISOString() }), // both bounds are left out by themselves
    ...(before && { createdBefore: before.toISOString() }),
    ...(filter === "failed" && { status: ["FAILED" as const, "CANCELED" as const] }),
  };
  return Object.keys(parts).length ? parts : undefined;
}

export type List = {
  readonly pictures: readonly Shown[];
  readonly total: number;
  readonly isFirstLoad: boolean;
  readonly isLoadingMore: boolean;
  /** Whether the next page could not be loaded. */
  readonly hasFailed: boolean;
  readonly error: unknown;
  readonly loadMore: () => void;
  /** Load pages until there are so many pictures, or all; 0: no more by itself. */
  readonly loadTo: (count: number) => void;
  /** Whether `loadTo` has what was asked for. */
  readonly isLoaded: boolean;
  readonly reread: () => void;
};

const MOST_OF_PAGE = 60; // pictures: the price of an operation allows about 90
/** What was shown when the lists were read again. */
type Before = { readonly key: string; readonly nodes: readonly Shown[] };
type More = { readonly isLoading: boolean; readonly error: unknown };
const NO_MORE: More = { isLoading: false, error: null };

/** Whether there can be videos: they are offered, or the account has some from before. */
export function useHasVideos(): boolean {
  const { viewer } = useSession();
  const [{ data: offered }] = useQuery({ query: OffersVideosDocument });
  const isOffered = offered !== undefined && offered.deployment.media.includes("VIDEO") && offered.collections.some(({ video }) => video !== null);
  const [{ data }] = useQuery({ query: VideosDocument, pause: !viewer || !offered || isOffered });
  return isOffered || (data?.viewer?.generations.edges.length ?? 0) > 0;
}

/**
 * The pictures of a choice, page after page. What is read is the first page, to which the cache adds the others that it has; each of
 * those is fetched by itself. When the lists are read again, one that is under way is given up: it would leave a gap. What was
 * shown stays until as much is there again.
 */
export function useList(choice: Choice): List {
  const { viewer, clients } = useSession();
  const hidden = useHidden();
  const key = JSON.stringify(choice);
  const [goal, setGoal] = useState({ key, count: 0 });
  const filter = filterOf(choice);
  const variables = { ...(filter && { filter }), orderBy: choice.order };
  const [{ data, fetching, error, stale }, execute] = useQuery({ query: PicturesDocument, variables, pause: !viewer });
  const list = data?.viewer?.generations;
  const end = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const isWaiting = fetching || stale;

  const [more, setMore] = useState<More>(NO_MORE);
  const stop = useRef<(() => void) | null>(null); // of the page that is being loaded
  const loadPage = (first?: number) => {
    if (stop.current || isWaiting || !end) return;
    setMore({ isLoading: true, error: null });
    let isDone = false; // at once, if the cache has the page
    const page = clients.urql.query(PicturesDocument, { ...variables, after: end, ...(first && { first }) });
    const cancel = once(page, ({ error: problem }) => {
      isDone = true;
      stop.current = null;
      setMore({ isLoading: false, error: problem ?? null });
      if (!problem) execute({ requestPolicy: "cache-only" });
    });
    if (!isDone) stop.current = cancel;
  };
  const [before, setBefore] = useState<Before>({ key, nodes: [] });
  const loaded = list?.edges.length ?? 0;
  const total = list?.totalCount ?? Infinity;
  const wanted = Math.min(goal.key === key ? goal.count : 0, total);
  const shownBefore = before.key === key ? Math.min(before.nodes.length, total) : 0;
  const isRefused = Boolean(error && !error.networkError); // what is lost is read again by itself
  const isAgain = loaded < shownBefore && !more.error && !isRefused;
  const isMissing = loaded < Math.max(wanted, shownBefore) && !error && !more.error;
  const nodes = isAgain ? renewed(before.nodes, list) : (list?.edges ?? []).map(({ node }) => node);

  const latest = useRef({ loadPage, nodes }); // the list may have changed since the sentinel was rendered
  useEffect(() => void (latest.current = { loadPage, nodes }));
  useEffect(() => {
    const giveUp = () => {
      stop.current?.();
      stop.current = null;
      setMore(NO_MORE);
    };
    const forget = onReread(() => {
      giveUp();
      setBefore({ key, nodes: latest.current.nodes });
    });
    return () => (forget(), giveUp());
  }, [key, clients]);
  const isOver = before.nodes.length > 0 && !isWaiting && !error && !isMissing && !more.isLoading;
  useEffect(() => {
    if (isOver) setBefore({ key, nodes: [] });
    if (isMissing && !more.isLoading) latest.current.loadPage(MOST_OF_PAGE);
  });

  const pictures = nodes.filter(({ id }) => !hidden.has(id));
  const hiddenHere = nodes.length - pictures.length; // those that are deleted already are not counted any more
  return {
    pictures,
    total: Math.max(pictures.length, (list?.totalCount ?? 0) - hiddenHere),
    isFirstLoad: !list && !isAgain && !error,
    isLoadingMore: more.isLoading,
    hasFailed: more.error !== null,
    error: list || isAgain ? null : error,
    loadTo: useCallback((count: number) => setGoal({ key, count }), [key]),
    isLoaded: Boolean(list) && !isMissing && !isWaiting && !more.isLoading,
    loadMore: useCallback(() => latest.current.loadPage(), []),
    reread: () => execute({ requestPolicy: "network-only" }),
  };
}

/** What was shown before, as it is known now. */
function renewed(before: readonly Shown[], list: { readonly edges: readonly { readonly node: Shown }[] } | undefined): readonly Shown[] {
  const known = new Map(list?.edges.map(({ node }) => [node.id, node]));
  return before.map((one) => known.get(one.id) ?? one);
}

/** Wait for the first whole result; return a function that gives it up. */
function once<Result extends { readonly stale: boolean }>(source: Source<Result>, onResult: (result: Result) => void): () => void {
  return pipe(
    source,
    only(({ stale }) => !stale),
    take(1),
    subscribe(onResult),
  ).unsubscribe;
}
