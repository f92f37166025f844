// A client of Darkroom: typed operations over HTTP, files with progress, live changes that survive lost connections.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print, type DocumentNode } from "graphql";
import { isSameSubject } from "./id-token.ts";
import { accepted, RefusedError, type ServerError } from "./errors.ts";
import {
  CreateUploadDocument,
  CreditsChangedDocument,
  GalleryChangedDocument,
  GenerationProgressDocument,
  TransactionsDocument,
  ViewerDocument,
  type CreditsChangedSubscription,
  type GalleryChangedSubscription,
  type GenerationPartsFragment,
} from "./gql/graphql.ts";
import { newKey } from "./key.ts";
import { Live, messages, type Sink } from "./live.ts";
import { multipartForm, takeFiles } from "./multipart.ts";
import { resumeOf } from "./resume.ts";
import { transfer, type Progress } from "./transfer.ts";

const LOST_AFTER_SECONDS = 45;
const MAX_SECONDS = 2_000_000; // of a timer

export type DarkroomOptions = {
  /** The address of the GraphQL endpoint, such as http://127.0.0.1:8000/graphql. */
  readonly url: string;
  /** A session's token or an API key; null: signed out, or signed in by a cookie. */
  readonly token?: string | null;
  /** What an earlier sign-in of this device returned, and an app has kept; `useSession` sends it with the next one. */
  readonly deviceToken?: string | null;
  /** The language of messages and titles, for accounts that have chosen none; by default the browser's, else the product's. */
  readonly locale?: string;
  /** "include" for sessions kept in a cookie. */
  readonly credentials?: RequestCredentials;
  /** "auto": WebSockets where the platform has them (browsers, Node 22), else event streams. */
  readonly transport?: "auto" | "websocket" | "events";
  /** Send documents by their hash alone: the server knows them from `@darkroom/client/trusted-documents.json`. */
  readonly trustedDocuments?: boolean;
  /**
   * Seconds in which a connection for subscriptions is silent, pings included, until it counts as lost; 45. 0: it never does. Event
   * streams need more than 15, the seconds between the server's pings.
   */
  readonly lostAfterSeconds?: number;
};

/** A document as it is sent: its text, or its id. */
export type DocumentRequest = { query?: string; documentId?: string; operationName?: string };

export type SendOptions = {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
};

export type CreditsChange = CreditsChangedSubscription["creditsChanged"];
export type GalleryChange = GalleryChangedSubscription["galleryChanged"];

export class Darkroom {
  readonly url: string;
  private readonly options: DarkroomOptions;
  private readonly live: Live;
  private readonly listeners = new Set<() => void>();
  private current: string | null;
  private isConnected = false;
  private device: string | null;
  private cookieSession: boolean | null = null; // null: not known
  private sessions = 0;

  constructor(options: DarkroomOptions) {
    this.options = options;
    this.url = options.url;
    this.current = options.token ?? null;
    this.device = options.deviceToken ?? null;
    this.live = new Live({
      url: options.url,
      transport: options.transport ?? "auto",
      headers: () => this.headers,
      credentials: this.credentials,
      lostAfter: 1000 * lostAfterSeconds(options),
      onConnection: (connected) => {
        this.isConnected = connected;
        this.notify();
      },
    });
  }

  get token(): string | null {
    return this.current;
  }

  /**
   * Send this token from now on. The session and its open subscriptions go on if it is another one of the same account: both are an
   * issuer's and say so, or else the server says so, which is asked only while a subscription is open. Otherwise subscriptions end,
   * and a new `session` begins.
   */
  set token(token: string | null) {
    const former = this.current;
    if (token === former) return;
    this.current = token;
    if (former !== null && token !== null && (this.live.isInUse || isSameSubject(former, token))) this.continueAs(former, token);
    else this.beginSession();
  }

  /** Makes this device a known one at the next sign-in: to be kept, also when signed out. */
  get deviceToken(): string | null {
    return this.device;
  }

  set deviceToken(token: string | null) {
    this.device = token;
    this.notify();
  }

  /** Whether requests are signed in, by a token or by a cookie; null: a browser's cookie is not known yet, see `findSession`. */
  get signedIn(): boolean | null {
    if (this.current !== null) return true;
    return this.credentials === "include" ? this.cookieSession : (this.cookieSession ?? false);
  }

  /** Say whether the browser's cookie holds a session, after signing in or out by cookie. Open subscriptions end. */
  setCookieSession(isOpen: boolean): void {
    this.cookieSession = isOpen;
    this.beginSession();
  }

  /** Ask the server whether requests are signed in, by a cookie that scripts cannot read; return what it says. */
  async findSession(): Promise<boolean> {
    const { session } = this;
    const isOpen = (await this.run(ViewerDocument, {})).viewer !== null;
    if (this.current === null && session === this.session && isOpen !== this.cookieSession) this.setCookieSession(isOpen);
    return isOpen;
  }

  /** Another number for each session: what was read in an earlier one may be another account's. */
  get session(): number {
    return this.sessions;
  }

  /** Whether a connection for subscriptions is open. */
  get connected(): boolean {
    return this.isConnected;
  }

  get credentials(): RequestCredentials {
    return this.options.credentials ?? "same-origin";
  }

  /** The headers of every request. */
  get headers(): Record<string, string> {
    return {
      ...(this.options.locale && { "accept-language": this.options.locale }),
      "graphql-require-preflight": "1", // without a token, requests with files need it
      ...(this.current && { authorization: `Bearer ${this.current}` }),
    };
  }

  /** Call `listener` when the token, the session or the connection changes; return a function that stops it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** A document as it is sent: with `trustedDocuments` by its hash, if it has one, else by its text. */
  requestOf(document: DocumentNode): DocumentRequest {
    const hash = (document as { __meta__?: { hash?: string } }).__meta__?.hash;
    return this.options.trustedDocuments && hash ? { documentId: hash } : requestOf(document);
  }

  /** Run a query or a mutation. A File or Blob anywhere among the variables is sent with it. */
  async run<Result, Variables>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    options: SendOptions = {},
  ): Promise<Result> {
    const { data, errors } = await this.send({ ...this.requestOf(document), variables }, options);
    if (errors?.length || !data) throw new RefusedError(errors ?? []);
    return data as Result;
  }

  /** Send a request as it is, and return the answer as it is; the links of other clients use it for files. */
  async send(
    request: DocumentRequest & { variables?: unknown },
    { signal, onProgress }: SendOptions = {},
  ): Promise<{ data?: unknown; errors?: ServerError[] }> {
    const { variables, files } = takeFiles(request.variables ?? {});
    const body = { ...request, variables };
    const { status, text } = await transfer({
      url: this.url,
      method: "POST",
      headers: { ...this.headers, accept: "application/json", ...(!files.size && { "content-type": "application/json" }) },
      body: files.size ? multipartForm(body, files) : JSON.stringify(body),
      credentials: this.credentials,
      signal,
      onProgress,
    });
    try {
      return JSON.parse(text) as { data?: unknown; errors?: ServerError[] };
    } catch {
      throw new RefusedError([{ message: `The server's answer is no JSON (HTTP ${status}).` }], "UNAVAILABLE");
    }
  }

  /** Upload a photo ahead, to wherever the server keeps its files; return the `uploadId` for an order. */
  async upload(photo: Blob, options: SendOptions & { idempotencyKey?: string } = {}): Promise<string> {
    const { idempotencyKey = newKey(), ...rest } = options;
    const input = { contentType: photo.type || typeByName(photo), byteSize: photo.size, idempotencyKey };
    const { createUpload } = await this.run(CreateUploadDocument, { input }, { ...(rest.signal && { signal: rest.signal }) });
    const target = accepted(createUpload).upload;
    if (!target) throw new RefusedError([]);
    const { status } = await transfer({
      url: target.url,
      method: target.method,
      headers: target.headers as Record<string, string>,
      body: target.fields ? uploadForm(target.fields, photo) : photo,
      ...rest,
    });
    if (status >= 300) throw new RefusedError([{ message: `The photo was not taken (HTTP ${status}).` }], "UPLOAD_FAILED");
    return target.id;
  }

  /** Subscribe; return a function that ends the subscription. It goes on after a lost connection: see resume.ts. */
  subscribe<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    sink: Sink<Result>,
  ): () => void {
    return this.live.subscribe<Result>({ ...this.requestOf(document), variables }, sink, resumeOf(document));
  }

  /** Yield a subscription's messages until it ends. */
  watch<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    return messages((sink) => this.subscribe(document, variables, sink));
  }

  /** Yield a generation's states: the present one, then every change, up to its final status; each once. */
  async *watchGeneration(id: string): AsyncGenerator<GenerationPartsFragment> {
    for await (const message of this.watch(GenerationProgressDocument, { id })) yield message.generationProgress;
  }

  /**
   * Yield the balance, then every line of the ledger after `after`, by default after the newest one. None is missed or
   * repeated when the connection is lost.
   */
  async *watchCredits(after: string | null = null): AsyncGenerator<CreditsChange> {
    after ??= await this.newestLine();
    for await (const message of this.watch(CreditsChangedDocument, { after })) yield message.creditsChanged;
  }

  /** Return the id of the newest line of the ledger, from which `creditsChanged` goes on; null: there is none. */
  async newestLine(): Promise<string | null> {
    return (await this.run(TransactionsDocument, { first: 1 })).viewer?.transactions.edges[0]?.node.id ?? null;
  }

  /**
   * Yield the changes of the gallery, of a version that was read before: those since. SNAPSHOT, which is the first without such a
   * version and comes where changes are not known any more: read the gallery now. None is missed or repeated when the connection is
   * lost.
   */
  async *watchGallery(after: number | null = null): AsyncGenerator<GalleryChange> {
    for await (const message of this.watch(GalleryChangedDocument, { after })) yield message.galleryChanged;
  }

  /** Connect again now, rather than after a pause of up to half a minute: for apps that know that the server is back. */
  reconnect(): void {
    this.live.reconnect();
  }

  /** End all subscriptions. */
  close(): void {
    this.live.close();
  }

  private beginSession(endsSubscriptions = true): void {
    this.sessions += 1;
    if (endsSubscriptions) this.live.close();
    this.notify();
  }

  private continueAs(former: string, token: string): void {
    const isSame = this.isSameAccount(former, token);
    this.live.changeHeaders(isSame);
    isSame.then(
      (same) => void (same || this.beginSession(false)),
      () => this.beginSession(false),
    );
    this.notify();
  }

  /** Rejects where the server cannot be asked. */
  private async isSameAccount(former: string, token: string): Promise<boolean> {
    if (isSameSubject(former, token)) return true;
    const accountOf = async (token: string): Promise<string | null> => {
      const client = new Darkroom({ ...this.options, token });
      return (await client.run(ViewerDocument, {})).viewer?.id ?? null;
    };
    const account = await accountOf(former).catch((problem: unknown) => {
      if (problem instanceof RefusedError && problem.code === "UNAUTHENTICATED") return null; // it has ended
      throw problem;
    });
    return account !== null && account === (await accountOf(token));
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

const requests = new WeakMap<DocumentNode, { query: string; operationName?: string }>();

/** The text of a document and the name of its operation, printed once. */
export function requestOf(document: DocumentNode): { query: string; operationName?: string } {
  let request = requests.get(document);
  if (!request) {
    const operation = document.definitions.find((one) => one.kind === "OperationDefinition");
    request = { query: print(document), ...(operation?.name && { operationName: operation.name.value }) };
    requests.set(document, request);
  }
  return request;
}

/** Some browsers do not know the types of .heic and .avif. */
function typeByName(photo: Blob): string {
  const name = "name" in photo ? String(photo.name) : "";
  const ending = /\.(heic|heif|avif)$/i.exec(name)?.[1]?.toLowerCase();
  return ending ? `image/${ending === "heif" ? "heic" : ending}` : "image/jpeg";
}

function uploadForm(fields: object, photo: Blob): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  form.append("file", photo); // last: what follows the file is not read
  return form;
}

function lostAfterSeconds({ lostAfterSeconds: seconds = LOST_AFTER_SECONDS }: DarkroomOptions): number {
  if (!(seconds >= 0)) throw new RangeError("lostAfterSeconds must be a number of seconds, or 0.");
  return seconds > MAX_SECONDS ? 0 : seconds;
}
