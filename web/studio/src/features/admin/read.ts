// Reading for the admin desk: one answer, or a list page after page. What was read stays until the new is there.
import { useCallback, useEffect, useRef, useState } from "react";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useSession } from "../../app/session.tsx";
import { CatalogueDocument } from "../../gql/graphql.ts";
import { useDesk } from "./desk.tsx";

export type Answer<R> = {
  readonly data: R | null;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly reread: () => void;
};

export function useRead<R, V>(document: TypedDocumentNode<R, V>, variables: V): Answer<R> {
  const { run, revision } = useDesk();
  const key = JSON.stringify(variables);
  const [state, setState] = useState<{ key: string; data: R | null; error: unknown }>({ key: "", data: null, error: null });
  const [isLoading, setLoading] = useState(true);
  const [again, setAgain] = useState(0);
  useEffect(() => {
    let isWanted = true;
    setLoading(true);
    run(document, JSON.parse(key) as V)
      .then(
        (data) => isWanted && setState({ key, data, error: null }),
        (error: unknown) => isWanted && setState((found) => ({ key, data: found.key === key ? found.data : null, error })),
      )
      .finally(() => isWanted && setLoading(false));
    return () => void (isWanted = false);
  }, [run, document, key, revision, again]);
  return { ...state, data: state.key === key ? state.data : null, isLoading, reread: () => setAgain((found) => found + 1) };
}

export type Connection<N> = {
  readonly totalCount?: number;
  readonly nodes: readonly N[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
};

export type List<N> = {
  readonly items: readonly N[];
  readonly total: number | null;
  readonly error: unknown;
  readonly isFirstLoad: boolean;
  readonly isLoading: boolean;
  readonly hasMore: boolean;
  readonly more: () => void;
  readonly reread: () => void;
};

type Read<N> = { key: string; items: readonly N[]; total: number | null; end: string | null };
const NOTHING = { key: "", items: [], total: null, end: null };

/** `pick`: the list of an answer; null: what it belongs to does not exist. */
export function useList<R, V extends { after?: string | null }, N>(
  document: TypedDocumentNode<R, V>,
  variables: V,
  pick: (data: R) => Connection<N> | null | undefined,
): List<N> {
  const { run, revision } = useDesk();
  const key = JSON.stringify(variables);
  const [state, setState] = useState<Read<N>>(NOTHING);
  const [error, setError] = useState<unknown>(null);
  const [isLoading, setLoading] = useState(true);
  const [again, setAgain] = useState(0);
  const latest = useRef({ pick, state });
  latest.current = { pick, state };

  /** Read from a cursor on, until there are at least `count` items. */
  const read = useCallback(
    async (known: readonly N[], after: string | null, count: number): Promise<Read<N>> => {
      const items = [...known];
      let total: number | null = null;
      let end = after;
      do {
        const page = latest.current.pick(await run(document, { ...(JSON.parse(key) as V), after: end }));
        items.push(...(page?.nodes ?? []));
        total = page?.totalCount ?? null;
        end = page?.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? null) : null;
      } while (end && items.length < count);
      return { key, items, total, end };
    },
    [run, document, key],
  );
  const turn = useRef(0);
  const begin = useCallback((work: Promise<Read<N>>) => {
    const mine = ++turn.current;
    const isWanted = () => mine === turn.current;
    setLoading(true);
    work
      .then(
        (found) => isWanted() && (setState(found), setError(null)),
        (problem: unknown) => isWanted() && setError(problem),
      )
      .finally(() => isWanted() && setLoading(false));
  }, []);
  useEffect(() => {
    const shown = latest.current.state;
    begin(read([], null, shown.key === key ? shown.items.length : 0)); // as much as is shown
    return () => void turn.current++;
  }, [begin, read, key, revision, again]);

  const present = state.key === key ? state : NOTHING;
  return {
    items: present.items,
    total: present.total,
    error,
    isFirstLoad: state.key !== key && !error,
    isLoading,
    hasMore: present.end !== null,
    more: () => present.end && begin(read(present.items, present.end, 0)),
    reread: () => setAgain((found) => found + 1),
  };
}

/** Read the catalogue again for the views of users, which have it in the cache. */
export function useRereadCatalogue(): () => void {
  const { clients } = useSession();
  return () => void clients.urql.query(CatalogueDocument, {}, { requestPolicy: "network-only" }).toPromise();
}
