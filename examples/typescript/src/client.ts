// A client of Darkroom in one file: operations over HTTP, files by the multipart specification, live changes over one WebSocket.
import { createClient, type Client } from "graphql-ws";
import type { TypedDocumentString } from "./gql/graphql.ts";

type Operation<Result, Variables> = TypedDocumentString<Result, Variables>;
type ErrorOfServer = { message: string; extensions?: { code?: string } };

/** A refusal by the server, with its code: UNAUTHENTICATED, NOT_FOUND, RATE_LIMITED, ... */
export class RefusedError extends Error {
  readonly code: string;

  constructor(errors: ErrorOfServer[]) {
    super(errors.map((error) => error.message).join(" "));
    this.code = errors[0]?.extensions?.code ?? "INTERNAL";
  }
}

export class Darkroom {
  private readonly url: string;
  private readonly locale: string;
  private token: string | null = null;
  private socket: Client | null = null;

  constructor(url: string, locale = "en") {
    this.url = url;
    this.locale = locale;
  }

  /** Send this token with every later request. */
  signedIn(token: string): void {
    this.token = token;
    this.close(); // a WebSocket is authenticated once, when it opens
  }

  private get headers(): Record<string, string> {
    const authorization = this.token ? { authorization: `Bearer ${this.token}` } : null;
    return { "accept-language": this.locale, ...authorization };
  }

  /** Run a query or a mutation. `files`: path within the variables -> file, e.g. `{"input.image": photo}`. */
  async run<Result, Variables>(
    operation: Operation<Result, Variables>,
    variables: Variables,
    files: Record<string, Blob> = {},
  ): Promise<Result> {
    const paths = Object.keys(files);
    const request = { query: operation.toString(), variables };
    const response = paths.length
      ? await fetch(this.url, { method: "POST", headers: this.headers, body: form(request, files) })
      : await fetch(this.url, {
          method: "POST",
          headers: { ...this.headers, "content-type": "application/json" },
          body: JSON.stringify(request),
        });
    const answer = (await response.json()) as { data?: Result; errors?: ErrorOfServer[] };
    if (answer.errors?.length || !answer.data) throw new RefusedError(answer.errors ?? []);
    return answer.data;
  }

  /** Yield a subscription's messages until it ends. Reconnects after a lost connection; each stream begins with the present state. */
  async *watch<Result, Variables extends Record<string, unknown>>(
    operation: Operation<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    this.socket ??= createClient({
      url: this.url.replace(/^http/, "ws"),
      connectionParams: () => ({ authorization: `Bearer ${this.token}`, locale: this.locale }),
      retryAttempts: 10,
    });
    for await (const event of this.socket.iterate<Result>({ query: operation.toString(), variables })) {
      if (event.errors?.length || !event.data) throw new RefusedError((event.errors ?? []) as ErrorOfServer[]);
      yield event.data;
    }
  }

  close(): void {
    void this.socket?.dispose();
    this.socket = null;
  }
}

function form(request: { query: string; variables: unknown }, files: Record<string, Blob>): FormData {
  const body = new FormData();
  const paths = Object.keys(files);
  const variables = structuredClone(request.variables) as Record<string, unknown>;
  for (const path of paths) {
    const steps = path.split(".");
    const last = steps.pop() as string;
    const target = steps.reduce((value, step) => value[step] as Record<string, unknown>, variables);
    target[last] = null; // the file takes this place
  }
  body.set("operations", JSON.stringify({ ...request, variables }));
  body.set("map", JSON.stringify(Object.fromEntries(paths.map((path, index) => [index, [`variables.${path}`]]))));
  paths.forEach((path, index) => body.set(String(index), files[path] as Blob, "photo.jpg"));
  return body;
}
