// The account's generations: pages, live changes, and what a user does with them, shown before the server has answered.
import { useCallback, useEffect, useReducer, useRef } from "react";
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

  const count = useRef(0); // generations that are shown
  const deleted = useRef(new Set<string>());
  useEffect(() => {
    count.current = state.generations.length;
  });

  const read = useCallback(
    async (after: string | null, first = pageSize) => {
      const number = after === null ? ++round.current : round.current;
      const chosen = JSON.parse(filterKey) as GenerationFilter | null;
      try {
        const { viewer } = await client.run(GalleryDocument, { first, after, filter: chosen });
        if (viewer && number === round.current) step(withPage(viewer.generations, after));
      } catch (problem) {
        if (number === round.current) step((before) => ({ ...before, loading: false, error: asError(problem) }));
      }
    },
    [client, pageSize, filterKey],
  );

  useEffect(() => {
    step(() => EMPTY);
    if (session === null) return;
    const isFiltered = filterKey !== "null";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rereadSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void read(null, Math.min(Math.max(count.current, pageSize), MAX_PAGE)), REREAD_MS);
    };
    const stop = client.subscribe(GalleryChangedDocument, {}, {
      next: ({ galleryChanged: { kind, generation, generationId } }) => {
        if (kind === "SNAPSHOT") return void read(null);
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
  }, [client, session, read, filterKey, pageSize]);

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
      void read(state.after);
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
