// Subscriptions over one WebSocket, or over event streams where there are no WebSockets. Both connect again by
// themselves, and go on where another token of the same account is sent; `Resume` decides what is asked for then, and which messages are repetitions.
import { createClient as createSocketClient, TerminatedCloseEvent } from "graphql-ws";
import { RefusedError, type ServerError } from "./errors.ts";
import { createEventClient } from "./event-streams.ts";

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

export type Message = { data?: unknown; errors?: readonly unknown[] | undefined };
export type Client = {
  subscribe: (payload: Payload, sink: Sink<Message>) => () => void;
  dispose: () => void | Promise<void>;
};

const INVALID_TOKEN = 4403; // a close code: asking again changes nothing
const RETRIES = 1_000; // hours
const LONGEST_PAUSE = 30_000; // milliseconds; the clients' own pauses double without an end

/** A subscription, on one connection after the other. */
class Stream {
  private readonly payload: Payload;
  private readonly sink: Sink<Message>;
  private leave: () => void = () => {};

  constructor(payload: Payload, sink: Sink<Message>) {
    this.payload = payload;
    this.sink = sink;
  }

  /** Go on with this client, and pass on nothing more of the former one. */
  moveTo(client: Client): void {
    this.leave();
    let isLeft = false;
    const stop = client.subscribe(this.payload, {
      next: (message) => void (isLeft || this.sink.next(message)),
      error: (error) => void (isLeft || this.sink.error(error)),
      complete: () => void (isLeft || this.sink.complete()),
    });
    this.stop = stop;
    this.leave = () => {
      isLeft = true;
      stop();
    };
  }

  /** End it at the server; the sink completes when that is done. */
  stop: () => void = () => {};

  end(): void {
    this.leave();
    this.sink.complete();
  }

  fail(problem: unknown): void {
    this.leave();
    this.sink.error(problem);
  }
}

/** Open no connection before the first subscription, and close it after the last. */
export class Live {
  private readonly options: LiveOptions;
  private client: Client | null = null; // its connections have the headers of when it was made
  private readonly streams = new Set<Stream>();
  private change = Promise.resolve();
  private readonly pauses = new Set<() => void>();

  constructor(options: LiveOptions) {
    this.options = options;
  }

  /** Whether a subscription is open. */
  get isInUse(): boolean {
    return this.streams.size > 0;
  }

  /** Subscribe; return a function that ends it. */
  subscribe<Result>(payload: Payload, sink: Sink<Result>, resume: Resume<Result> = {}): () => void {
    // Both clients read the payload anew for each connection.
    const resumed: Payload = {
      query: "", // graphql-ws demands a text, also where `documentId` names the document
      ...payload,
      get variables() {
        return { ...payload.variables, ...resume.variables?.() };
      },
    };
    const stream = new Stream(resumed, {
      next: (message) => {
        if (message.errors?.length || !message.data) {
          return sink.error(new RefusedError((message.errors ?? []) as ServerError[]));
        }
        const data = message.data as Result;
        if (resume.isNew?.(data) ?? true) sink.next(data);
      },
      error: (error) => {
        this.streams.delete(stream);
        sink.error(refused(error));
      },
      complete: () => {
        this.streams.delete(stream);
        sink.complete();
      },
    });
    this.streams.add(stream);
    stream.moveTo(this.present());
    return () => {
      this.streams.delete(stream);
      stream.stop();
    };
  }

  /** Connect now where an attempt is waited for, because the server is known to be there again. */
  reconnect(): void {
    this.endPauses();
  }

  /**
   * Take the headers of now for new subscriptions at once, and for the open ones if they are of the same account: those go on where
   * they are. Else they end, with an error where that cannot be found out.
   */
  changeHeaders(isSameAccount: Promise<boolean>): void {
    const streams = [...this.streams];
    this.client = null;
    const decideAll = async () => {
      let decide: (stream: Stream) => void;
      try {
        if (!(await isSameAccount)) decide = (stream) => stream.end();
        else if (this.change === change) decide = (stream) => stream.moveTo(this.present());
        else return; // the headers have changed again: the next change is about these streams, too
      } catch (problem) {
        decide = (stream) => stream.fail(problem);
      }
      for (const stream of streams) if (this.streams.has(stream)) decide(stream);
      this.endPauses(); // of connections that are not needed any more
    };
    const change = this.change.then(decideAll, decideAll);
    this.change = change;
  }

  /** End all subscriptions; a later one opens a new connection, with the token of that moment. */
  close(): void {
    const client = this.client;
    this.client = null;
    for (const stream of [...this.streams]) stream.end();
    void Promise.resolve(client?.dispose()).catch(() => {}); // a connection that is being opened may fail
    this.endPauses();
  }

  private present(): Client {
    return (this.client ??= this.usesSockets() ? this.socketClient() : this.eventClient());
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
    const { authorization, "accept-language": locale } = headers();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const expectAnswer = (milliseconds: number) => {
      clearTimeout(timer);
      if (milliseconds) timer = setTimeout(() => client.terminate(), milliseconds);
    };
    const client = createSocketClient({
      url: url.replace(/^http/, "ws"),
      connectionParams: { ...(authorization && { authorization }), ...(locale && { locale }) },
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
          if (this.isPresent(client as Client)) onConnection(false);
        },
        ping: (received) => !received && expectAnswer(lostAfter / 3),
        message: () => clearTimeout(timer),
      },
    });
    return client as Client;
  }

  private eventClient(): Client {
    const { onConnection, ...options } = this.options;
    const client = createEventClient({
      ...options,
      headers: options.headers(),
      retryAttempts: RETRIES,
      pause: (attempts) => this.pause(attempts),
      onConnection: (connected) => this.isPresent(client) && onConnection(connected),
    });
    return client;
  }

  /** Whether this is the client of now, or the last one: another one may be open already. */
  private isPresent(client: Client): boolean {
    return this.client === null || this.client === client;
  }
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
