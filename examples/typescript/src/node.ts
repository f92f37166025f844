// What only Node has: files by their path.
import { openAsBlob } from "node:fs";
import { basename, extname } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".avif": "image/avif",
  ".heic": "image/heic",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".png": "image/png",
  ".webp": "image/webp",
};

/** A photo on disk as a File, which is read while it is sent. */
export async function photoFile(path: string): Promise<File> {
  const type = TYPES[extname(path).toLowerCase()] ?? "image/jpeg";
  return new File([await openAsBlob(path, { type })], basename(path), { type });
}
