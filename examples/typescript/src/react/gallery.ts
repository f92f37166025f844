// The account's generations: pages, live changes, and what a user does with them, shown before the server has answered.
import { useCallback, useEffect, useReducer, useRef } from "react";
import type { Darkroom } from "../client.ts";
import { accepted } from "../errors.ts";
import {
  DeleteGenerationsDocument,
  GalleryChangedDocument,
  GalleryDocument,
  SetFavoriteDocument,
  ShareGenerationDocument,
  UnshareGenerationDocument,
  type GenerationFilter,
  type GenerationPartsFragment,
} from "../gql/graphql.ts";
import { useDarkroom, useSessionNumber } from "./context.ts";
import { asError, useAction } from "./state.ts";

export type Gallery = {
  readonly generations: readonly GenerationPartsFragment[];
  readonly totalCount: number;
  readonly hasMore: boolean;
  readonly loading: boolean;
  readonly error: Error | null;
  readonly loadMore: () => void;
  readonly setFavorite: (id: string, isFavorite: boolean) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  readonly share: (id: string) => Promise<void>;
  readonly unshare: (id: string) => Promise<void>;
};

type State = Pick<Gallery, "generations" | "totalCount" | "hasMore" | "loading" | "error"> & { readonly after: string | null };
type Step = (state: State) => State;

const MAX_PAGE = 100; // of the server
const REREAD_MS = 200; // an order of several pictures is several messages

const EMPTY: State = { generations: [], totalCount: 0, hasMore: false, loading: true, error: null, after: null };

/** The newest generations first, `pageSize` at a time. */
export function useGallery({ pageSize = 20, filter = null }: { pageSize?: number; filter?: GenerationFilter | null } = {}): Gallery {
  const client = useDarkroom();
  const session = useSessionNumber();
  const [state, step] = useReducer((before: State, next: Step) => next(before), EMPTY);
  const { error: refusal, run } = useAction();
  const filterKey = JSON.stringify(filter);
  const round = useRef(0); // answers to earlier reads of the list are dropped

  const wanted = useRef(pageSize); // generations that are shown, and those of the page that is being read
  const rereads = useRef(0); // under way
  const deleted = useRef(new Set<string>());
  useEffect(() => {
    wanted.current = state.generations.length + (state.loading ? pageSize : 0);
  });

  const read = useCallback(
    async (after: string | null, count: number) => {
      const number = after === null ? ++round.current : round.current;
      const chosen = JSON.parse(filterKey) as GenerationFilter | null;
      try {
        const page = await readPages(client, chosen, after, count, () => number === round.current);
        if (page) step(withPage(page, after));
      } catch (problem) {
        if (number === round.current) step((before) => ({ ...before, loading: false, error: asError(problem) }));
      }
    },
    [client, filterKey],
  );

  /** Read the list from its beginning; the answer to a page that is being read is dropped, so `count` has to include it. */
  const reread = useCallback(
    async (count: number) => {
      rereads.current += 1;
      await read(null, Math.max(count, pageSize));
      rereads.current -= 1;
    },
    [read, pageSize],
  );

  useEffect(() => {
    step(() => EMPTY);
    round.current += 1; // answers to reads of the former list are dropped, too
    if (session === null) return;
    const isFiltered = filterKey !== "null";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rereadSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void reread(wanted.current), REREAD_MS);
    };
    const stop = client.subscribe(GalleryChangedDocument, {}, {
      next: ({ galleryChanged: { kind, generation, generationId } }) => {
        if (kind === "SNAPSHOT") return void reread(wanted.current);
        if (kind === "DELETED" && generationId) {
          deleted.current.add(generationId);
          step(without(generationId));
        }
        if (generation) step(kind === "CREATED" && !isFiltered ? withNew(generation) : withChange(generation));
        if (isFiltered) rereadSoon(); // only the server knows what a filter lets in
      },
      error: (problem) => step((before) => ({ ...before, loading: false, error: asError(problem) })),
      complete: () => {},
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, session, reread, filterKey, pageSize]);

  /** Show the result now, and take it back if the server refuses. */
  const optimistically = async (show: Step, undo: Step, act: () => Promise<unknown>) => {
    step(show);
    const done = await run(act);
    if (done === null) step(undo);
  };

  return {
    ...state,
    error: state.error ?? refusal,
    loadMore: () => {
      if (state.loading || !state.hasMore) return;
      step((before) => ({ ...before, loading: true }));
      // A list that is being replaced will have another end.
      void (rereads.current ? reread(state.generations.length + pageSize) : read(state.after, pageSize));
    },
    setFavorite: (id, isFavorite) =>
      optimistically(
        withPart(id, { isFavorite }),
        withPart(id, { isFavorite: !isFavorite }),
        async () => accepted((await client.run(SetFavoriteDocument, { id, isFavorite })).setFavorite),
      ),
    remove: (id) => {
      const removed = state.generations.find((one) => one.id === id);
      return optimistically(
        without(id),
        (before) => (removed && !deleted.current.has(id) ? withRestored(removed)(before) : before),
        async () => accepted((await client.run(DeleteGenerationsDocument, { ids: [id] })).deleteGenerations),
      );
    },
    share: async (id) => {
      const done = await run(async () => accepted((await client.run(ShareGenerationDocument, { id })).shareGeneration));
      if (done?.generation) step(withPart(id, done.generation));
    },
    unshare: async (id) => {
      const done = await run(async () => accepted((await client.run(UnshareGenerationDocument, { id })).unshareGeneration));
      if (done?.generation) step(withPart(id, done.generation));
    },
  };
}

type Page = {
  readonly totalCount: number;
  readonly edges: readonly { readonly node: GenerationPartsFragment }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
};

/** Read so many generations, in as many pages as the server needs for them; null: not needed any more, or signed out. */
async function readPages(
  client: Darkroom,
  filter: GenerationFilter | null,
  after: string | null,
  count: number,
  isNeeded: () => boolean,
): Promise<Page | null> {
  const edges: Page["edges"][number][] = [];
  for (;;) {
    const first = Math.min(count - edges.length, MAX_PAGE);
    const { viewer } = await client.run(GalleryDocument, { first, after, filter });
    if (!viewer || !isNeeded()) return null;
    const { totalCount, pageInfo, edges: found } = viewer.generations;
    edges.push(...found);
    if (edges.length >= count || !pageInfo.hasNextPage) return { totalCount, pageInfo, edges };
    after = pageInfo.endCursor;
  }
}

function withPage({ totalCount, edges, pageInfo }: Page, after: string | null): Step {
  return ({ generations }) => {
    const known = after === null ? [] : generations;
    const ids = new Set(known.map(({ id }) => id));
    const newest = new Map(generations.map((one) => [one.id, one]));
    const added = edges.map(({ node }) => newerOf(node, newest.get(node.id))).filter(({ id }) => !ids.has(id));
    return {
      generations: [...known, ...added],
      totalCount,
      hasMore: pageInfo.hasNextPage,
      after: pageInfo.endCursor,
      loading: false,
      error: null,
    };
  };
}

/** A live change may have been faster than the page that was asked for before it. */
function newerOf(read: GenerationPartsFragment, known: GenerationPartsFragment | undefined): GenerationPartsFragment {
  return known && known.version > read.version ? known : read;
}

function withNew(generation: GenerationPartsFragment): Step {
  return (state) =>
    state.generations.some(({ id }) => id === generation.id)
      ? state
      : { ...state, generations: [generation, ...state.generations], totalCount: state.totalCount + 1 };
}

/** Put a generation back in its place: the newest are first. */
function withRestored(generation: GenerationPartsFragment): Step {
  return (state) => {
    if (state.generations.some(({ id }) => id === generation.id)) return state;
    const next = state.generations.findIndex(({ id }) => id < generation.id); // ids sort by creation time
    const place = next === -1 ? state.generations.length : next;
    const generations = [...state.generations.slice(0, place), generation, ...state.generations.slice(place)];
    return { ...state, generations, totalCount: state.totalCount + 1 };
  };
}

/** A message may be older than what is shown: the higher version stays. */
function withChange(generation: GenerationPartsFragment): Step {
  return (state) => ({
    ...state,
    generations: state.generations.map((one) => (one.id === generation.id && one.version <= generation.version ? generation : one)),
  });
}

function withPart(id: string, part: Partial<GenerationPartsFragment>): Step {
  return (state) => ({ ...state, generations: state.generations.map((one) => (one.id === id ? { ...one, ...part } : one)) });
}

function without(id: string): Step {
  return (state) => {
    const generations = state.generations.filter((one) => one.id !== id);
    const removed = state.generations.length - generations.length;
    return { ...state, generations, totalCount: state.totalCount - removed };
  };
}
