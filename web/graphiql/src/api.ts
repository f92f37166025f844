// The API client: JSON over HTTP, and one WebSocket. The session is a cookie that scripts cannot read.
import { createClient, type Client } from "graphql-ws";

const ADDRESS = new URL("graphql", location.href);

export interface Viewer {
  id: string;
  email: string | null;
  name: string | null;
  role: "USER" | "ADMIN" | "SUPER_ADMIN";
  locale: string | null;
  credits: number;
}

interface GraphQLResponse<T> {
  data?: T | null;
  errors?: { message: string }[];
}

/** Send an operation and return its `data`. Throws an Error with a user message, or a TypeError on network errors. */
export async function request<T>(query: string, variables: object = {}): Promise<T> {
  const response = await fetch(ADDRESS, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as GraphQLResponse<T>;
  if (body.errors?.[0] || !body.data) throw new Error(body.errors?.[0]?.message ?? response.statusText);
  return body.data;
}

/** Return a lazy WebSocket client. It authenticates when it opens, so a new session needs a new client. */
export function openSocket(): Client {
  const address = new URL(ADDRESS);
  address.protocol = address.protocol.replace("http", "ws");
  return createClient({
    url: address.href,
    connectionParams: { locale: document.documentElement.lang },
    retryAttempts: Infinity,
    shouldRetry: () => true,
  });
}

export const address = ADDRESS.href;

const VIEWER = "id email name role locale credits";

export async function fetchViewer(): Promise<Viewer | null> {
  return (await request<{ viewer: Viewer | null }>(`{ viewer { ${VIEWER} } }`)).viewer;
}

type Payload = { errors: { message: string }[] };

function throwErrors({ errors }: Payload): void {
  if (errors[0]) throw new Error(errors.map((error) => error.message).join(" "));
}

export async function signIn(email: string, password: string): Promise<void> {
  const { signIn } = await request<{ signIn: Payload }>(
    "mutation($input: SignInInput!) { signIn(input: $input) { errors { message } } }",
    { input: { email, password, cookie: true } },
  );
  throwErrors(signIn);
}

/** Sign up and in; false if a mail has to be read first. */
export async function signUp(email: string, password: string): Promise<boolean> {
  const locale = document.documentElement.lang;
  const { signUp } = await request<{ signUp: Payload & { mustVerifyEmail: boolean } }>(
    "mutation($input: SignUpInput!) { signUp(input: $input) { mustVerifyEmail errors { message } } }",
    { input: { email, password, locale } },
  );
  throwErrors(signUp);
  if (signUp.mustVerifyEmail) return false;
  await signIn(email, password); // only signIn can set the session cookie
  return true;
}

export async function signOut(): Promise<void> {
  await request("mutation { signOut { sessionsEnded } }");
}

export interface Tab {
  name: string;
  query: string;
  variables: string | null;
}

export interface Tabs {
  tabs: Tab[]; // all operations for this user
  opening: Tab[]; // the tabs of a first visit
}

export async function fetchTabs(): Promise<Tabs> {
  const response = await fetch(new URL("graphiql/tabs", location.href), { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()) as Tabs;
}
