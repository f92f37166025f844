// Pictures on their way: photos that are sent ahead, and links that this page can show.
import { ask } from "./api";

const { address, store } = document.documentElement.dataset;
const OURS = address ? `${address}/` : new URL(".", location.href).href;

/** A link of the API as this page reaches it, or null where its policy lets nothing be loaded from there. */
export function near(link: string): string | null {
  // A server has several names (localhost, 127.0.0.1), and the page may have been opened at another than PUBLIC_URL.
  if (link.startsWith(OURS)) return new URL(link.slice(OURS.length), new URL(".", location.href)).href;
  if (link.startsWith("data:image/") || (store && link.startsWith(`${store}/`))) return link;
  return null;
}

interface Target {
  id: string;
  url: string;
  method: string;
  headers: Record<string, string>;
  fields: Record<string, string> | null;
}

const ANNOUNCE = `mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id url method headers fields } errors { message } }
}`;

/** The id for `uploadId`. Throws an Error whose message is for people, or a TypeError when nobody answers. */
export async function sendAhead(file: File, notArrived: string): Promise<string> {
  const input = { contentType: file.type, byteSize: file.size };
  const { createUpload } = await ask<{ createUpload: { upload: Target | null; errors: { message: string }[] } }>(
    ANNOUNCE,
    { input },
  );
  const { upload, errors } = createUpload;
  if (!upload) throw new Error(errors.map((error) => error.message).join(" "));
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields ?? {})) form.append(name, value);
  form.append("file", file);
  const { method, headers } = upload;
  // What the target says is all that it needs: it is no sign-in's business.
  const request = { method, headers, body: form, credentials: "omit" } as const;
  const response = await fetch(near(upload.url) ?? upload.url, request).catch(() => null);
  if (!response?.ok) throw new Error(notArrived);
  return upload.id;
}

const SIDE = 72; // pixels, twice what is shown

/** A small picture of a photo as a data: URI; null where the browser cannot read it. */
export async function thumbnailOf(file: File): Promise<string | null> {
  try {
    const picture = await createImageBitmap(file);
    const scale = SIDE / Math.min(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    canvas.getContext("2d")?.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
    picture.close();
    return canvas.toDataURL("image/jpeg", 0.85);
  } catch {
    return null;
  }
}
