// Signed links to files end: the pictures that are shown are read again before that, and when a file could not be loaded.
import type { Client, Exchange } from "@urql/core";
import { pipe, tap } from "wonka";
import { FilesOfDocument } from "../gql/graphql.ts";
import { onReachability, serverIsAway } from "./reachability.ts";

const PERIOD = 10_000; // milliseconds between two looks at what will end
const AHEAD = 20_000; // milliseconds before a link ends: the server signs another one after half of a link's time, which is 30 s or more
const AT_ONCE = 50; // pictures of one request
const TOGETHER = 100; // milliseconds in which several failures are one
const TRIES = [3000, 10_000, 30_000]; // milliseconds until an image that could not be loaded is loaded again

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
    const stop = retryImages();
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", check);
      forget();
      stop();
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

/** Load images again that failed for a passing reason, as their link stays the same: after pauses, and when the server is back. */
function retryImages(): () => void {
  const broken = new Map<HTMLImageElement, { readonly src: string; readonly tries: number }>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const load = (image: HTMLImageElement) => {
    const src = broken.get(image)?.src;
    if (src !== undefined && image.isConnected && image.src === src) image.src = src; // the same one is loaded anew
    else broken.delete(image);
  };
  const fail = ({ target }: Event) => {
    if (!(target instanceof HTMLImageElement && target.src.startsWith("http"))) return; // a chosen file fails for good
    const { src } = target;
    const before = broken.get(target);
    const tries = before?.src === src ? before.tries + 1 : 0;
    broken.set(target, { src, tries });
    const pause = TRIES[tries];
    if (pause === undefined) return;
    const timer = setTimeout(() => (timers.delete(timer), load(target)), pause);
    timers.add(timer);
  };
  const succeed = ({ target }: Event) => void broken.delete(target as HTMLImageElement);
  document.addEventListener("error", fail, true); // such events do not bubble
  document.addEventListener("load", succeed, true);
  const forget = onReachability(() => serverIsAway() || [...broken.keys()].forEach(load));
  return () => {
    for (const timer of timers) clearTimeout(timer);
    document.removeEventListener("error", fail, true);
    document.removeEventListener("load", succeed, true);
    forget();
  };
}
