// The pictures in an answer: found in what the editor shows, so that they change with tabs, runs and messages.
import { near } from "./files";

export interface Picture {
  shown: string | null; // null: not there yet
  whole: string | null; // what a click opens
  words: string;
}

const MOST = 24; // pictures at a time
const KEPT = 48; // previews, whose texts are too long to be read
const KEY = "previewUrl";
const previews = new Map<string, string>();

/** Shortens previews to what people can read; the pictures are shown beside it. */
export function abridge(value: unknown): void {
  for (const part of parts(value)) {
    const preview = part[KEY];
    if (typeof preview !== "string" || !preview.startsWith("data:") || preview.length < 200) continue;
    const label = `${preview.slice(0, 32)} … ${preview.slice(-24)}`;
    previews.set(label, preview);
    for (const oldest of [...previews.keys()].slice(0, -KEPT)) previews.delete(oldest);
    part[KEY] = label;
  }
}

/** The pictures in an answer's text, and a place for each that is on its way. */
export function picturesIn(text: string): Picture[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return [];
  }
  const found: Picture[] = [];
  for (const part of parts(answer)) {
    if (!(KEY in part || "result" in part)) continue;
    const result = (part.result ?? {}) as Record<string, unknown>;
    const preview = words(part[KEY]);
    const shown = reach(result.thumbnailUrl) ?? reach(result.url) ?? reach(previews.get(preview) ?? preview);
    const isOnItsWay = part.status === "PENDING" || part.status === "PROCESSING";
    if (shown === null && !isOnItsWay) continue;
    found.push({
      shown,
      whole: reach(result.url) ?? reach(result.thumbnailUrl),
      words: words(part.prompt) || words(part.styleTitle),
    });
    if (found.length === MOST) break;
  }
  return found;
}

const words = (value: unknown) => (typeof value === "string" ? value : "");
const reach = (link: unknown) => (typeof link === "string" ? near(link) : null);

/** All objects in a value, from the outside in. */
function* parts(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* parts(inner);
}
