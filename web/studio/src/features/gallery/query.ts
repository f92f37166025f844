// Which pictures the gallery shows: the choice is in the address, so that it survives a reload and can be kept.
import { useCallback, useEffect, useState } from "react";
import { useQuery } from "urql";
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
  readonly error: unknown;
  readonly loadMore: () => void;
  /** Load pages until there are so many pictures, or all; 0: no more by itself. */
  readonly loadTo: (count: number) => void;
  /** Whether `loadTo` has what was asked for. */
  readonly isLoaded: boolean;
  readonly reread: () => void;
};

const MOST_OF_PAGE = 60; // pictures: the price of an operation allows about 90
type Page = { readonly key: string; readonly after: string | null; readonly first?: number };

/** Whether there can be videos: they are offered, or the account has some from before. */
export function useHasVideos(): boolean {
  const { viewer } = useSession();
  const [{ data: offered }] = useQuery({ query: OffersVideosDocument });
  const isOffered = offered !== undefined && offered.deployment.media.includes("VIDEO") && offered.collections.some(({ video }) => video !== null);
  const [{ data }] = useQuery({ query: VideosDocument, pause: !viewer || !offered || isOffered });
  return isOffered || (data?.viewer?.generations.edges.length ?? 0) > 0;
}

/** The pictures of a choice, page after page. */
export function useList(choice: Choice): List {
  const { viewer } = useSession();
  const hidden = useHidden();
  const key = JSON.stringify(choice);
  const [page, setPage] = useState<Page>({ key, after: null });
  const { after, first } = page.key === key ? page : { after: null, first: undefined };
  const [goal, setGoal] = useState({ key, count: 0 });
  const filter = filterOf(choice);
  const variables = { ...(filter && { filter }), ...(after && { after }), ...(first && { first }), orderBy: choice.order };
  const [{ data, fetching, error, stale }, execute] = useQuery({ query: PicturesDocument, variables, pause: !viewer });
  const list = data?.viewer?.generations;
  const end = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;

  // Read again from the first page on; the others follow where they are looked at.
  useEffect(() => onReread(() => setPage({ key, after: null })), [key]);

  const loaded = list?.edges.length ?? 0;
  const wanted = goal.key === key ? Math.min(goal.count, list?.totalCount ?? Infinity) : 0;
  const isMissing = loaded < wanted && !error;
  const isWaiting = fetching || stale;
  useEffect(() => {
    if (isMissing && !isWaiting && end) setPage({ key, after: end, first: MOST_OF_PAGE });
  }, [isMissing, isWaiting, end, key]);

  const pictures = (list?.edges ?? []).map(({ node }) => node).filter(({ id }) => !hidden.has(id));
  return {
    pictures,
    total: Math.max(pictures.length, (list?.totalCount ?? 0) - hidden.size),
    isFirstLoad: !list && !error,
    isLoadingMore: Boolean(list) && (fetching || stale) && after !== null,
    error: list ? null : error,
    loadTo: useCallback((count: number) => setGoal({ key, count }), [key]),
    isLoaded: Boolean(list) && !isMissing && !isWaiting,
    loadMore: useCallback(() => end && setPage({ key, after: end }), [end, key]),
    reread: () => execute({ requestPolicy: "network-only" }),
  };
}
