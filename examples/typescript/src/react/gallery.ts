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
import { useDarkroom, useToken } from "./context.ts";
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

const EMPTY: State = { generations: [], totalCount: 0, hasMore: false, loading: true, error: null, after: null };

/** The newest generations first, `pageSize` at a time. */
export function useGallery({ pageSize = 20, filter = null }: { pageSize?: number; filter?: GenerationFilter | null } = {}): Gallery {
  const client = useDarkroom();
  const token = useToken();
  const [state, step] = useReducer((before: State, next: Step) => next(before), EMPTY);
  const { error: refusal, run } = useAction();
  const filterKey = JSON.stringify(filter);
  const round = useRef(0); // answers to earlier reads of the list are dropped

  const read = useCallback(
    async (after: string | null) => {
      const number = after === null ? ++round.current : round.current;
      const chosen = JSON.parse(filterKey) as GenerationFilter | null;
      try {
        const { viewer } = await client.run(GalleryDocument, { first: pageSize, after, filter: chosen });
        if (viewer && number === round.current) step(withPage(viewer.generations, after));
      } catch (problem) {
        if (number === round.current) step((before) => ({ ...before, loading: false, error: asError(problem) }));
      }
    },
    [client, pageSize, filterKey],
  );

  useEffect(() => {
    step(() => EMPTY);
    if (token === null) return;
    return client.subscribe(GalleryChangedDocument, {}, {
      next: ({ galleryChanged: { kind, generation, generationId } }) => {
        if (kind === "SNAPSHOT") void read(null);
        else if (kind === "DELETED" && generationId) step(without(generationId));
        else if (generation && kind === "CREATED" && filterKey === "null") step(withNew(generation));
        else if (generation) step(withChange(generation));
      },
      error: (problem) => step((before) => ({ ...before, loading: false, error: asError(problem) })),
      complete: () => {},
    });
  }, [client, token, read, filterKey]);

  /** Show the result now, and what it was before if the server refuses. */
  const optimistically = async (show: Step, undo: (before: State) => Step, act: () => Promise<unknown>) => {
    const before = state;
    step(show);
    const done = await run(act);
    if (done === null) step(undo(before));
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
        () => withPart(id, { isFavorite: !isFavorite }),
        async () => accepted((await client.run(SetFavoriteDocument, { id, isFavorite })).setFavorite),
      ),
    remove: (id) =>
      optimistically(
        without(id),
        (before) => () => before,
        async () => accepted((await client.run(DeleteGenerationsDocument, { ids: [id] })).deleteGenerations),
      ),
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
    const added = edges.map(({ node }) => node).filter(({ id }) => !ids.has(id));
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

function withNew(generation: GenerationPartsFragment): Step {
  return (state) =>
    state.generations.some(({ id }) => id === generation.id)
      ? state
      : { ...state, generations: [generation, ...state.generations], totalCount: state.totalCount + 1 };
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
