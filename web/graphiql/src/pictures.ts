// The images in a response, found in the text of the response editor, so that they follow tabs, runs and events.
import { loadable } from "./files";

export interface Picture {
  shown: string | null; // the image to display; null while it is generated
  full: string | null; // the full image, opened by a click
  alt: string;
}

const MAX_PICTURES = 24; // displayed at once
const MAX_PREVIEWS = 48; // kept in memory
const KEY = "previewUrl";
const previews = new Map<string, string>();

/** Abbreviate the data URIs of previews, in place; the images themselves are shown below the response. */
export function abbreviatePreviews(value: unknown): void {
  for (const part of parts(value)) {
    const preview = part[KEY];
    if (typeof preview !== "string" || !preview.startsWith("data:") || preview.length < 200) continue;
    const label = `${preview.slice(0, 32)} … ${preview.slice(-24)}`;
    previews.set(label, preview);
    for (const oldest of [...previews.keys()].slice(0, -MAX_PREVIEWS)) previews.delete(oldest);
    part[KEY] = label;
  }
}

/** Return the images in a response's text, with a placeholder for each generation in progress. */
export function picturesIn(text: string): Picture[] {
  let response: unknown;
  try {
    response = JSON.parse(text);
  } catch {
    return [];
  }
  const found: Picture[] = [];
  for (const part of parts(response)) {
    if (!(KEY in part || "result" in part)) continue;
    const result = (part.result ?? {}) as Record<string, unknown>;
    const preview = textOf(part[KEY]);
    const shown = linkOf(result.thumbnailUrl) ?? linkOf(result.url) ?? linkOf(previews.get(preview) ?? preview);
    const isInProgress = part.status === "PENDING" || part.status === "PROCESSING";
    if (shown === null && !isInProgress) continue;
    found.push({
      shown,
      full: linkOf(result.url) ?? linkOf(result.thumbnailUrl),
      alt: textOf(part.prompt) || textOf(part.styleTitle),
    });
    if (found.length === MAX_PICTURES) break;
  }
  return found;
}

const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const linkOf = (link: unknown) => (typeof link === "string" ? loadable(link) : null);

/** Yield every object in a value, outer ones first. */
function* parts(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* parts(inner);
}
