// Signed links to files end: the pictures that are shown are read again before that, and when a file could not be loaded.
import type { Client, Exchange } from "@urql/core";
import { pipe, tap } from "wonka";
import { FilesOfDocument } from "../gql/graphql.ts";

const PERIOD = 10_000; // milliseconds between two looks at what will end
const AHEAD = 20_000; // milliseconds before a link ends: the server signs another one after half of a link's time, which is 30 s or more
const AT_ONCE = 50; // pictures of one request
const TOGETHER = 100; // milliseconds in which several failures are one

type File = { readonly id: string; readonly picture: string; readonly expiresAt: string | null; readonly links: readonly unknown[] };

/** `keep`: begin to renew the links of what is shown; return a function that stops it. */
export function renewing(): { exchange: Exchange; keep: (client: Client) => () => void } {
  const shown = new Map<number, unknown>(); // the data of the queries that views have, by the key of the operation
  const asked = new Map<string, string | null>(); // the end of the link that was to be renewed, by file: a clock may be wrong
  const files = () => [...shown.values()].flatMap((data) => filesIn(data));

  const renew = async (client: Client, due: readonly File[]) => {
    const pictures = [...new Set(due.map(({ picture }) => picture))];
    for (const { id, expiresAt } of due) asked.set(id, expiresAt);
    for (let start = 0; start < pictures.length; start += AT_ONCE) {
      const ids = pictures.slice(start, start + AT_ONCE);
      const { error } = await client.query(FilesOfDocument, { ids }, { requestPolicy: "network-only" }).toPromise();
      if (error) for (const { id, picture } of due) if (ids.includes(picture)) asked.delete(id);
    }
  };
  const keep = (client: Client) => {
    const check = () => {
      if (document.hidden) return;
      const isDue = ({ id, expiresAt }: File) => expiresAt !== null && Date.parse(expiresAt) - Date.now() < AHEAD && asked.get(id) !== expiresAt;
      void renew(client, files().filter(isDue));
    };
    const timer = setInterval(check, PERIOD);
    document.addEventListener("visibilitychange", check);
    const forget = onFilesFailed((addresses) => {
      void renew(client, files().filter(({ links }) => addresses.some((one) => links.includes(one))));
    });
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", check);
      forget();
    };
  };
  return {
    exchange: ({ forward }) => (operations) =>
      pipe(
        forward(pipe(operations, tap(({ kind, key }) => void (kind === "teardown" && shown.delete(key))))),
        tap(({ operation, data }) => void (operation.kind === "query" && data && shown.set(operation.key, data))),
      ),
    keep,
  };
}

/** The files in an answer, each of the nearest object with an id. */
function filesIn(value: unknown, picture: string | null = null): File[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => filesIn(one, picture));
  const { id, downloadUrl, url, posterUrl, thumbnailUrl, expiresAt } = value as Record<string, unknown>;
  const name = typeof id === "string" ? id : picture;
  if (typeof downloadUrl !== "string") return Object.values(value).flatMap((one) => filesIn(one, name));
  if (!picture || typeof id !== "string") return [];
  return [{ id, picture, expiresAt: expiresAt as string | null, links: [url, posterUrl, thumbnailUrl] }];
}

/** Call `listener` with the addresses of images and videos that could not be loaded, once for each; return a function that stops it. */
export function onFilesFailed(listener: (addresses: readonly string[]) => void): () => void {
  const known = new Set<string>();
  let failed: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hear = ({ target }: Event) => {
    if (!(target instanceof HTMLImageElement || target instanceof HTMLVideoElement) || known.has(target.src)) return;
    known.add(target.src);
    failed.push(target.src);
    timer ??= setTimeout(() => {
      const addresses = failed;
      failed = [];
      timer = undefined;
      listener(addresses);
    }, TOGETHER);
  };
  document.addEventListener("error", hear, true); // such events do not bubble
  return () => {
    clearTimeout(timer);
    document.removeEventListener("error", hear, true);
  };
}
