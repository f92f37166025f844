// Whether the server can be reached. What fails raises the question, and a small request answers it, again and again
// while the server is away: so a single lost request shows nothing, and what was missed is read as soon as it is back.
// A query that was lost while the server is there is read again, too.
import { CombinedError, makeOperation, type Client, type Exchange, type Operation, type OperationResult } from "@urql/core";
import { pipe, tap } from "wonka";
import { createListeners } from "./listeners.ts";

const PAUSE = 1000; // milliseconds between two questions; doubled each time
const LONGEST_PAUSE = 15_000;
const PATIENCE = 10_000; // milliseconds for an answer
const AWAY = [502, 503, 504]; // of a proxy in front of it

const REREAD_PAUSE = 1000; // milliseconds before a lost query is read again; doubled each time
const LONGEST_REREAD_PAUSE = 30_000;

let isAway = false;
let asking: Promise<void> | null = null;
let askNow = () => {};
const listeners = createListeners();

/** Whether the server is away; for useSyncExternalStore, with `onReachability`. */
export const serverIsAway = (): boolean => isAway;

/** Call `listener` when the server is away, and when it is back; return a function that stops it. */
export const onReachability = listeners.subscribe;

/** Ask whether the server is there, because something failed; the promise is kept when it is there. */
export function suspectServer(): Promise<void> {
  return (asking ??= ask().finally(() => (asking = null)));
}

addEventListener("offline", () => void suspectServer());
addEventListener("online", () => askNow());

async function ask(): Promise<void> {
  for (let pause = PAUSE; !(await answers()); pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    set(true);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause);
      askNow = () => (clearTimeout(timer), resolve());
    });
  }
  set(false);
}

async function answers(): Promise<boolean> {
  try {
    const { status } = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ __typename }" }),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    return !AWAY.includes(status);
  } catch {
    return false;
  }
}

function set(away: boolean): void {
  if (away === isAway) return;
  isAway = away;
  listeners.notify();
}

/** Whether the request was not answered by the server itself, or not to its end: what a proxy refuses, it refuses again. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof CombinedError) || !error.networkError) return false;
  const status = (error.response as Response | undefined)?.status;
  return status === undefined || AWAY.includes(status) || error.networkError instanceof TypeError; // as the browser reports a lost answer
}

/** `keptByStreams`: names of queries whose lists a stream completes by itself after a lost connection. */
export function rereading(keptByStreams: readonly string[]): { exchange: Exchange; reread: (client: Client) => void } {
  const active = new Map<number, Operation>();
  const failed = new Map<number, Lost>();
  const forget = (key: number) => {
    clearTimeout(failed.get(key)?.timer);
    failed.delete(key);
  };
  const begin = (operation: Operation) => {
    if (operation.kind === "query") {
      active.set(operation.key, operation);
      const lost = failed.get(operation.key);
      clearTimeout(lost?.timer);
      if (lost) failed.set(operation.key, { tries: lost.tries, timer: undefined }); // this is the next try
    }
    if (operation.kind !== "teardown") return;
    active.delete(operation.key);
    forget(operation.key);
  };
  const again = (client: Client, operation: Operation) =>
    client.reexecuteOperation(makeOperation("query", operation, { ...operation.context, requestPolicy: "network-only" }));
  const endOf = (client: Client) => ({ operation, error }: OperationResult) => {
    const { key, kind } = operation;
    if (kind === "subscription") return;
    if (isUnanswered(error)) void suspectServer();
    if (!error?.networkError || !active.has(key)) return forget(key);
    const tries = failed.get(key)?.tries ?? 0;
    const reread = () => void suspectServer().then(() => failed.get(key) === lost && again(client, operation));
    clearTimeout(failed.get(key)?.timer);
    const lost: Lost = { tries: tries + 1, timer: setTimeout(reread, Math.min(REREAD_PAUSE * 2 ** tries, LONGEST_REREAD_PAUSE)) };
    failed.set(key, lost);
  };
  return {
    exchange: ({ client, forward }) => (operations) => pipe(forward(pipe(operations, tap(begin))), tap(endOf(client))),
    reread: (client) => {
      for (const operation of active.values()) {
        if (failed.has(operation.key) || !keptByStreams.includes(nameOf(operation))) again(client, operation);
      }
    },
  };
}

/** A query without an answer: how often it was sent, and what sends it again. */
type Lost = { readonly tries: number; readonly timer: ReturnType<typeof setTimeout> | undefined };

/** The name of an operation; empty: it has none. */
export function nameOf({ query }: Operation): string {
  const operation = query.definitions.find((one) => one.kind === "OperationDefinition");
  return operation?.name?.value ?? "";
}
