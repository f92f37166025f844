// Subscriptions over event streams: a request for each, where there are no WebSockets.
import { createClient, NetworkError } from "graphql-sse";
import type { ServerError } from "./errors.ts";
import type { Client, Message } from "./live.ts";

export type EventOptions = {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly credentials: RequestCredentials;
  readonly lostAfter: number; // milliseconds of silence; 0: never
  readonly retryAttempts: number;
  readonly pause: (attempts: number) => Promise<void>;
  /** Called with true when a stream opens, and with false when the last one has ended or is lost. */
  readonly onConnection: (connected: boolean) => void;
};

/** A client that asks again where the server stops or cannot serve now, after pauses as for a lost connection. */
export function createEventClient(options: EventOptions): Client {
  const { url, headers, credentials, retryAttempts, pause, onConnection, lostAfter } = options;
  let count = 0;
  const onStream = () => {
    count += 1;
    onConnection(true);
    return () => void (--count || onConnection(false));
  };
  const open = new Set<() => void>();
  return {
    subscribe: (payload, sink) => {
      let failures = 0; // since the last message with data; graphql-sse begins to count again at any message, UNAVAILABLE too
      // A client for each subscription: `retry` does not say which one it is called for.
      const client = createClient({
        url,
        headers,
        credentials: credentials === "omit" ? "omit" : credentials === "include" ? "include" : "same-origin",
        retryAttempts,
        retry: () => pause(failures++),
        fetchFn: (url: string, request: RequestInit) => fetchEvents(url, request, lostAfter, onStream),
      }) as Client;
      const stop = client.subscribe(payload, {
        next: (message) => {
          if (isUnavailable(message) && failures < retryAttempts) {
            throw new NetworkError("The server is not available."); // the one error that it asks again after
          }
          if (message.data) failures = 0;
          sink.next(message);
        },
        error: (error) => {
          open.delete(stop);
          sink.error(error);
        },
        complete: () => {
          open.delete(stop);
          sink.complete();
        },
      });
      open.add(stop);
      return stop;
    },
    dispose: () => {
      for (const stop of [...open]) stop();
    },
  };
}

/** Whether the message is the last one of a server that stops, or that cannot serve now: what it reports has not ended. */
function isUnavailable({ data, errors }: Message): boolean {
  return !data && (errors as ServerError[] | undefined)?.[0]?.extensions?.code === "UNAVAILABLE";
}

/**
 * Fetch a stream, which fails once nothing has come for so long: the server pings its streams every 15 seconds. A refusal becomes a
 * stream of one message: graphql-sse would ask again and again.
 */
async function fetchEvents(url: string, options: RequestInit, lostAfter: number, onStream: () => () => void): Promise<Response> {
  const silence = new AbortController();
  const cancel = () => silence.abort();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expectMore = () => {
    clearTimeout(timer);
    if (lostAfter) timer = setTimeout(() => silence.abort(new TypeError("The connection has been lost.")), lostAfter);
  };
  let onEnd = () => {};
  const end = () => {
    onEnd();
    onEnd = () => {}; // once
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", cancel);
  };
  options.signal?.addEventListener("abort", cancel);
  expectMore();
  try {
    const response = await fetch(url, { ...options, signal: silence.signal });
    if (response.ok && response.body) {
      onEnd = onStream();
      return new Response(watched(response.body, expectMore, end), response);
    }
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

