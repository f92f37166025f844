// The state of something asynchronous: an action that a user starts, or a value that is read when its input changes.
import { useCallback, useEffect, useRef, useState } from "react";

export type Action = {
  readonly busy: boolean;
  readonly error: Error | null;
  /** Run it; null: it failed, and `error` says why. */
  readonly run: <Result>(action: () => Promise<Result>) => Promise<Result | null>;
};

export function useAction(): Action {
  const [running, setRunning] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const run = useCallback(async <Result>(action: () => Promise<Result>): Promise<Result | null> => {
    setRunning((count) => count + 1);
    setError(null);
    try {
      return await action();
    } catch (problem) {
      setError(asError(problem));
      return null;
    } finally {
      setRunning((count) => count - 1);
    }
  }, []);
  return { busy: running > 0, error, run };
}

export type Loaded<Value> = { readonly value: Value | null; readonly loading: boolean; readonly error: Error | null };

/**
 * Read a value whenever `key` or `session` changes; null as key: read nothing. A late answer to an earlier key is dropped, and what
 * was read in another session is not shown while the next is read.
 */
export function useLoaded<Value>(
  key: string | null,
  read: (signal: AbortSignal) => Promise<Value>,
  session: number | null = null,
): Loaded<Value> {
  const unread: Loaded<Value> = { value: null, loading: key !== null, error: null };
  const [state, setState] = useState({ ...unread, session });
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (key === null) return setState({ value: null, loading: false, error: null, session });
    const abort = new AbortController();
    setState((before) => ({ ...(before.session === session ? before : { value: null, error: null }), loading: true, session }));
    latest.current(abort.signal).then(
      (value) => !abort.signal.aborted && setState({ value, loading: false, error: null, session }),
      (error: unknown) => !abort.signal.aborted && setState({ value: null, loading: false, error: asError(error), session }),
    );
    return () => abort.abort();
  }, [key, session]);
  return state.session === session ? state : unread;
}

export function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}
