// The photo of this tab's order, kept in the browser: it survives a reload, and the way to a payment page and back.
import { newKey } from "@darkroom/client/key.ts";
import { keepForOwner, OWN } from "../../app/tab-owner.ts";

export type KeptUpload = { readonly id: string; readonly owner: string };
type Kept = {
  /** Of the photo. */
  readonly id: string;
  readonly file: Blob;
  readonly name: string;
  readonly at: number;
  /** Whose upload it is; undefined: it was not sent. */
  readonly upload?: KeptUpload;
};

const DATABASE = "studio";
const STORE = "photos";
const TAB = `${OWN}photo`; // the key of this tab's photo
const LONGEST = 86_400_000; // milliseconds that a photo of a closed tab stays

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error());
  });
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error());
    });
  } finally {
    database.close();
  }
}

/** Keep the photo; null: keep none. Where the browser keeps nothing, as in some private windows, nothing happens. */
export async function keepPhoto(photo: Pick<Kept, "id" | "file" | "name"> | null): Promise<void> {
  const known = sessionStorage.getItem(TAB);
  if (!photo && !known) return;
  const key = known ?? newKey();
  if (photo) keepForOwner(TAB, key);
  else sessionStorage.removeItem(TAB);
  try {
    await run<unknown>("readwrite", (store) => {
      const all = store.openCursor();
      all.onsuccess = () => {
        if (!all.result) return;
        if ((all.result.value as Kept).at < Date.now() - LONGEST) all.result.delete();
        all.result.continue();
      };
      const kept = photo && ({ id: photo.id, file: photo.file, name: photo.name, at: Date.now() } satisfies Kept);
      const done: IDBRequest = kept ? store.put(kept, key) : store.delete(key);
      return done;
    });
  } catch {
    return;
  }
}

/** Keep beside the photo that it was sent: it is not sent again after a reload. */
export async function keepUpload(id: string, upload: KeptUpload): Promise<void> {
  const key = sessionStorage.getItem(TAB);
  if (!key) return;
  try {
    await run<Kept | undefined>("readwrite", (store) => {
      const kept: IDBRequest<Kept | undefined> = store.get(key);
      kept.onsuccess = () => void (kept.result?.id === id && store.put({ ...kept.result, upload }, key));
      return kept;
    });
  } catch {
    return;
  }
}

const held = new Map<string, Blob>();

/** Hold the photo of an order that takes it along, while that is sent; return a function that ends it. */
export function holdPhoto({ id, file }: Pick<Kept, "id" | "file">): () => void {
  held.set(id, file);
  return () => void held.delete(id);
}

/** Return the photo of such an order, also after a reload; null: it has gone. */
export async function heldPhoto(id: string): Promise<Blob | null> {
  const kept = held.has(id) ? null : await keptPhoto();
  return held.get(id) ?? (kept?.id === id ? kept.file : null);
}

/** Return the photo that this tab has kept; null: none. */
export async function keptPhoto(): Promise<Kept | null> {
  const key = sessionStorage.getItem(TAB);
  if (!key) return null;
  try {
    return ((await run("readonly", (store) => store.get(key))) as Kept | undefined) ?? null;
  } catch {
    return null;
  }
}
