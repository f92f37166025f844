// Photo uploads, and links to images that this page can show.
import { request } from "./api";

const { address, store } = document.documentElement.dataset;
const BASE = address ? `${address}/` : new URL(".", location.href).href;

/** Return an API link as this page can load it, or null if the content security policy forbids it. */
export function loadable(link: string): string | null {
  // The page may have been opened at another host name than PUBLIC_URL, such as localhost or 127.0.0.1.
  if (link.startsWith(BASE)) return new URL(link.slice(BASE.length), new URL(".", location.href)).href;
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

const CREATE_UPLOAD = `mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id url method headers fields } errors { message } }
}`;

/** Upload a photo and return its `uploadId`. Throws an Error with a user message, or a TypeError on network errors. */
export async function uploadPhoto(file: File, failureText: string): Promise<string> {
  const input = { contentType: typeOf(file), byteSize: file.size };
  const { createUpload } = await request<{ createUpload: { upload: Target | null; errors: { message: string }[] } }>(
    CREATE_UPLOAD,
    { input },
  );
  const { upload, errors } = createUpload;
  if (!upload) throw new Error(errors.map((error) => error.message).join(" "));
  const { method, headers, fields } = upload;
  // The target authorizes by itself, so the session cookie is not sent.
  const options = { method, headers, body: fields ? formOf(fields, file) : file, credentials: "omit" } as const;
  const response = await fetch(loadable(upload.url) ?? upload.url, options).catch(() => null);
  if (!response?.ok) throw new Error(failureText);
  return upload.id;
}

// Browsers on Windows and Linux know no type of these, and leave it empty.
const TYPES: Record<string, string> = { heic: "image/heic", heif: "image/heic", avif: "image/avif" };

function typeOf(file: File): string {
  return file.type || TYPES[file.name.split(".").pop()?.toLowerCase() ?? ""] || "image/jpeg";
}

function formOf(fields: Record<string, string>, file: File): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file); // last, as S3 requires
  return form;
}

const SIDE = 72; // pixels, twice the displayed size

/** Return a thumbnail of a photo as a data: URI, or null if the browser cannot decode it. */
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
