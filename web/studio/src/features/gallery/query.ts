// Which pictures the gallery shows: the choice is in the address, so that it survives a reload and can be kept.
import { useCallback, useEffect, useState } from "react";
import { useQuery } from "urql";
import { useSearchParams } from "wouter";
import { onReread } from "../../app/clients.ts";
import { useSession } from "../../app/session.tsx";
import { PicturesDocument, type GenerationFilter, type GenerationOrder } from "../../gql/graphql.ts";
import { useHidden } from "../picture/deletion.ts";
import type { Shown } from "../picture/state.ts";

export const FILTERS = ["all", "favorites", "images", "videos", "failed"] as const;
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
};
export const EVERYTHING: Choice = { search: "", filter: "all", order: "NEWEST", album: "", tags: [] };
export const MOST_TAGS = 5;

export function useChoice(): [Choice, (change: Partial<Choice>) => void] {
  const [params, setParams] = useSearchParams();
  const filter = FILTERS.find((one) => one === params.get("show")) ?? "all";
  const order = ORDERS.find((one) => one === params.get("order")) ?? "NEWEST";
  const tags = params.getAll("tag").slice(0, MOST_TAGS);
  const choice = { search: params.get("search") ?? "", filter, order, album: params.get("album") ?? "", tags };
  const change = (part: Partial<Choice>) => {
    const { search, filter: show, order: by, album, tags: words } = { ...choice, ...part };
    const next = new URLSearchParams();
    if (album) next.set("album", album);
    for (const tag of words) next.append("tag", tag);
    if (search) next.set("search", search);
    if (show !== "all") next.set("show", show);
    if (by !== "NEWEST") next.set("order", by);
    setParams(next, { replace: true });
  };
  return [choice, change];
}

function filterOf({ search, filter, album, tags }: Choice): GenerationFilter | undefined {
  const parts: GenerationFilter = {
    ...(search.trim() && { search: search.trim() }),
    ...(album && { albumId: album }),
    ...(tags.length && { tagIds: [...tags] }),
    ...(filter === "favorites" && { isFavorite: true }),
    ...(filter === "images" && { media: "IMAGE" as const }),
    ...(filter === "videos" && { media: "VIDEO" as const }),
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
  readonly reread: () => void;
};

/** The pictures of a choice, page after page. */
export function useList(choice: Choice): List {
  const { viewer } = useSession();
  const hidden = useHidden();
  const key = JSON.stringify(choice);
  const [page, setPage] = useState<{ key: string; after: string | null }>({ key, after: null });
  const after = page.key === key ? page.after : null;
  const filter = filterOf(choice);
  const variables = { ...(filter && { filter }), ...(after && { after }), orderBy: choice.order };
  const [{ data, fetching, error, stale }, execute] = useQuery({ query: PicturesDocument, variables, pause: !viewer });
  const list = data?.viewer?.generations;
  const end = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;

  // Read again from the first page on; the others follow where they are looked at.
  useEffect(() => onReread(() => setPage({ key, after: null })), [key]);

  const pictures = (list?.edges ?? []).map(({ node }) => node).filter(({ id }) => !hidden.has(id));
  return {
    pictures,
    total: Math.max(pictures.length, (list?.totalCount ?? 0) - hidden.size),
    isFirstLoad: !list && !error,
    isLoadingMore: Boolean(list) && (fetching || stale) && after !== null,
    error: list ? null : error,
    loadMore: useCallback(() => end && setPage({ key, after: end }), [end, key]),
    reread: () => execute({ requestPolicy: "network-only" }),
  };
}
