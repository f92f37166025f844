// Subscriptions over one WebSocket, or over event streams where there are no WebSockets. Both connect again by
// themselves; `Resume` decides what is asked for then, and which messages are repetitions.
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient, TerminatedCloseEvent } from "graphql-ws";
import { RefusedError, type ServerError } from "./errors.ts";

export type Payload = { query?: string; documentId?: string; operationName?: string; variables: Record<string, unknown> };

export type Sink<Result> = {
  next: (result: Result) => void;
  error: (error: unknown) => void;
  complete: () => void;
};

/** How one stream goes on after a lost connection; it remembers what was passed on. */
export type Resume<Result> = {
  /** The variables of the next connection that differ from those of the first. */
  variables?: () => Record<string, unknown>;
  /** Whether the message says anything new. */
  isNew?: (message: Result) => boolean;
};

export type LiveOptions = {
  readonly url: string;
  readonly transport: "auto" | "websocket" | "events";
  readonly headers: () => Record<string, string>;
  readonly credentials: RequestCredentials;
  readonly onConnection: (connected: boolean) => void;
  readonly lostAfter: number; // milliseconds of silence; 0: never
};

type Message = { data?: unknown; errors?: readonly unknown[] | undefined };
type Client = {
  subscribe: (payload: Payload, sink: { next: (message: Message) => void; error: (error: unknown) => void; complete: () => void }) => () => void;
  dispose: () => void | Promise<void>;
};

const INVALID_TOKEN = 4403; // a close code: asking again changes nothing
const RETRIES = 1_000; // hours
const LONGEST_PAUSE = 30_000; // milliseconds; the clients' own pauses double without an end

/** Open no connection before the first subscription, and close it after the last. */
export class Live {
  private readonly options: LiveOptions;
  private client: Client | null = null;
  private readonly pauses = new Set<() => void>();

  constructor(options: LiveOptions) {
    this.options = options;
  }

  /** Subscribe; return a function that ends it. */
  subscribe<Result>(payload: Payload, sink: Sink<Result>, resume: Resume<Result> = {}): () => void {
    this.client ??= this.usesSockets() ? this.socketClient() : this.eventClient();
    // Both clients read the payload anew for each connection.
    const resumed: Payload = {
      query: "", // graphql-ws demands a text, also where `documentId` names the document
      ...payload,
      get variables() {
        return { ...payload.variables, ...resume.variables?.() };
      },
    };
    return this.client.subscribe(resumed, {
      next: (message) => {
        if (message.errors?.length || !message.data) {
          return sink.error(new RefusedError((message.errors ?? []) as ServerError[]));
        }
        const data = message.data as Result;
        if (resume.isNew?.(data) ?? true) sink.next(data);
      },
      error: (error) => sink.error(refused(error)),
      complete: () => sink.complete(),
    });
  }

  /** Connect now where an attempt is waited for, because the server is known to be there again. */
  reconnect(): void {
    this.endPauses();
  }

  /** Close the connection; a later subscription opens a new one, with the token of that moment. */
  close(): void {
    const client = this.client;
    this.client = null;
    void Promise.resolve(client?.dispose()).catch(() => {}); // a connection that is being opened may fail
    this.endPauses();
  }

  private endPauses(): void {
    for (const end of [...this.pauses]) end();
  }

  private usesSockets(): boolean {
    const { transport } = this.options;
    return transport === "websocket" || (transport === "auto" && typeof WebSocket !== "undefined");
  }

  /** Wait before the next attempt, with chance in it: clients that lost a server at once do not return at once. */
  private pause(attempts: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(1000 * 2 ** attempts, LONGEST_PAUSE) + 300 + Math.random() * 2700);
      this.pauses.add(end);
    });
  }

  private socketClient(): Client {
    const { url, headers, onConnection, lostAfter } = this.options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const expectAnswer = (milliseconds: number) => {
      clearTimeout(timer);
      if (milliseconds) timer = setTimeout(() => client.terminate(), milliseconds);
    };
    const client = createSocketClient({
      url: url.replace(/^http/, "ws"),
      connectionParams: () => {
        const { authorization, "accept-language": locale } = headers();
        return { ...(authorization && { authorization }), locale };
      },
      retryAttempts: RETRIES,
      retryWait: (attempts) => this.pause(attempts),
      // By default a connection that breaks with an error event, as in Node, is given up.
      shouldRetry: (problem) => {
        if (problem instanceof Error) return problem instanceof TerminatedCloseEvent;
        return (problem as { code?: unknown }).code !== INVALID_TOKEN;
      },
      // A network that has gone does not close its connections: the server has to answer pings.
      keepAlive: (lostAfter * 2) / 3,
      on: {
        connecting: () => expectAnswer(lostAfter),
        connected: () => onConnection(true),
        closed: () => {
          clearTimeout(timer);
          if (this.client === null || this.client === client) onConnection(false); // another one may be open already
        },
        ping: (received) => !received && expectAnswer(lostAfter / 3),
        message: () => clearTimeout(timer),
      },
    });
    return client as Client;
  }

  private eventClient(): Client {
    const { url, headers, credentials, onConnection, lostAfter } = this.options;
    return createEventClient({
      url,
      headers,
      credentials: credentials === "omit" ? "omit" : credentials === "include" ? "include" : "same-origin",
      retryAttempts: RETRIES,
      retry: (attempts) => this.pause(attempts),
      fetchFn: (url: string, options: RequestInit) => fetchEvents(url, options, lostAfter),
      on: { connected: () => onConnection(true) },
    }) as Client;
  }
}

/**
 * Fetch a stream, which fails once nothing has come for so long: the server pings its streams every 15 seconds. A refusal becomes a
 * stream of one message: graphql-sse would ask again and again.
 */
async function fetchEvents(url: string, options: RequestInit, lostAfter: number): Promise<Response> {
  const silence = new AbortController();
  const cancel = () => silence.abort();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expectMore = () => {
    clearTimeout(timer);
    if (lostAfter) timer = setTimeout(() => silence.abort(new TypeError("The connection has been lost.")), lostAfter);
  };
  const end = () => {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", cancel);
  };
  options.signal?.addEventListener("abort", cancel);
  expectMore();
  try {
    const response = await fetch(url, { ...options, signal: silence.signal });
    if (response.ok && response.body) return new Response(watched(response.body, expectMore, end), response);
    end();
    if (response.ok || response.status === 429 || response.status >= 500) return response;
    const text = await response.text();
    let answer: object = { errors: [{ message: `HTTP ${response.status}` }] };
    try {
      answer = JSON.parse(text) as object;
    } catch {
      // not from the GraphQL endpoint: the status is all there is
    }
    return new Response(`event: next\ndata: ${JSON.stringify(answer)}\n\nevent: complete\ndata: \n\n`);
  } catch (problem) {
    end();
    throw problem;
  }
}

/** Pass on a body; `onRead` is called before each part, and `onEnd` once, however it ends. */
function watched(body: ReadableStream<Uint8Array>, onRead: () => void, onEnd: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      onRead();
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (problem) {
        controller.error(problem);
      }
      onEnd();
    },
    cancel(reason) {
      onEnd();
      return reader.cancel(reason);
    },
  });
}

/** Errors of the clients as one class; close codes of the server become the code that HTTP would have. */
function refused(error: unknown): unknown {
  if (Array.isArray(error)) return new RefusedError(error as ServerError[]);
  if (error && typeof error === "object" && "code" in error && typeof error.code === "number") {
    const { code, reason } = error as { code: number; reason?: string };
    const codes: Record<number, string> = { 4401: "UNAUTHENTICATED", 4403: "UNAUTHENTICATED", 4429: "RATE_LIMITED" };
    return new RefusedError([{ message: reason || `The connection was closed (${code}).` }], codes[code] ?? "UNAVAILABLE");
  }
  return error;
}

/** The messages of a stream as an async generator; leaving the loop ends the subscription. */
export async function* messages<Result>(start: (sink: Sink<Result>) => () => void): AsyncGenerator<Result> {
  const waiting: Result[] = [];
  let ended = false;
  let failure: { error: unknown } | null = null;
  let wake = () => {};
  const stop = start({
    next: (result) => (waiting.push(result), wake()),
    error: (error) => ((failure = { error }), wake()),
    complete: () => ((ended = true), wake()),
  });
  try {
    for (;;) {
      while (waiting.length) yield waiting.shift() as Result;
      if (failure) throw (failure as { error: unknown }).error;
      if (ended) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    stop();
  }
}
