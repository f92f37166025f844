// The API as this page asks it: JSON over HTTP, and one WebSocket. The sign-in is a cookie that no script can read.
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

interface Answer<T> {
  data?: T | null;
  errors?: { message: string }[];
}

/** The whole `data`. Throws an Error whose message is for people, or a TypeError when nobody answers. */
export async function ask<T>(query: string, variables: object = {}): Promise<T> {
  const response = await fetch(ADDRESS, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as Answer<T>;
  if (answer.errors?.[0] || !answer.data) throw new Error(answer.errors?.[0]?.message ?? response.statusText);
  return answer.data;
}

/** A WebSocket that opens when it is needed; who asks is settled when it opens, so a new sign-in needs a new one. */
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

export async function findViewer(): Promise<Viewer | null> {
  return (await ask<{ viewer: Viewer | null }>(`{ viewer { ${VIEWER} } }`)).viewer;
}

type Refusals = { errors: { message: string }[] };

function refuse({ errors }: Refusals): void {
  if (errors[0]) throw new Error(errors.map((error) => error.message).join(" "));
}

export async function signIn(email: string, password: string): Promise<void> {
  const { signIn } = await ask<{ signIn: Refusals }>(
    "mutation($input: SignInInput!) { signIn(input: $input) { errors { message } } }",
    { input: { email, password, cookie: true } },
  );
  refuse(signIn);
}

export async function signUp(email: string, password: string): Promise<void> {
  const locale = document.documentElement.lang;
  const { signUp } = await ask<{ signUp: Refusals }>(
    "mutation($input: SignUpInput!) { signUp(input: $input) { errors { message } } }",
    { input: { email, password, locale } },
  );
  refuse(signUp);
  await signIn(email, password); // only this can put the sign-in where no script reads it
}

export async function signOut(): Promise<void> {
  await ask("mutation { signOut { sessionsEnded } }");
}

export interface Tab {
  name: string;
  query: string;
  variables: string | null;
}

export interface Tabs {
  tabs: Tab[]; // all that there are for this person
  opening: Tab[]; // those that a first visit opens with
}

export async function findTabs(): Promise<Tabs> {
  const response = await fetch(new URL("graphiql/tabs", location.href), { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()) as Tabs;
}
