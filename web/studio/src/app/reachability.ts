// Whether the server can be reached. What fails raises the question, and a small request answers it, again and again
// while the server is away: so a single lost request shows nothing, and what was missed is read as soon as it is back.
import { makeOperation, type Client, type CombinedError, type Exchange, type Operation, type OperationResult } from "@urql/core";
import { pipe, tap } from "wonka";
import { createListeners } from "./listeners.ts";

const PAUSE = 1000; // milliseconds between two questions; doubled each time
const LONGEST_PAUSE = 15_000;
const PATIENCE = 10_000; // milliseconds for an answer
const AWAY = [502, 503, 504]; // of a proxy in front of it

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

/** Whether the request was not answered by the server itself. */
function isUnanswered(error: CombinedError | undefined): boolean {
  if (!error?.networkError) return false;
  const status = (error.response as Response | undefined)?.status;
  return status === undefined || AWAY.includes(status);
}

/** `keptByStreams`: names of queries whose lists a stream completes by itself after a lost connection. */
export function rereading(keptByStreams: readonly string[]): { exchange: Exchange; reread: (client: Client) => void } {
  const active = new Map<number, Operation>();
  const failed = new Set<number>();
  const begin = (operation: Operation) => {
    if (operation.kind === "query") active.set(operation.key, operation);
    if (operation.kind !== "teardown") return;
    active.delete(operation.key);
    failed.delete(operation.key);
  };
  const end = ({ operation, error }: OperationResult) => {
    if (operation.kind === "subscription") return;
    const isLost = isUnanswered(error);
    if (isLost) void suspectServer();
    if (isLost && active.has(operation.key)) failed.add(operation.key);
    else failed.delete(operation.key);
  };
  return {
    exchange: ({ forward }) => (operations) => pipe(forward(pipe(operations, tap(begin))), tap(end)),
    reread: (client) => {
      for (const operation of active.values()) {
        if (!failed.has(operation.key) && keptByStreams.includes(nameOf(operation))) continue;
        client.reexecuteOperation(makeOperation("query", operation, { ...operation.context, requestPolicy: "network-only" }));
      }
    },
  };
}

function nameOf({ query }: Operation): string {
  const operation = query.definitions.find((one) => one.kind === "OperationDefinition");
  return operation?.name?.value ?? "";
}
