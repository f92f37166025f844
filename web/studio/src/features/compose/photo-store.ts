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

/** As `run`; null where the browser keeps nothing, as in some private windows. */
async function attempt<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  try {
    return await run(mode, act);
  } catch {
    return null;
  }
}

/** Keep the photo; null: keep none. */
export async function keepPhoto(photo: Pick<Kept, "id" | "file" | "name"> | null): Promise<void> {
  const known = sessionStorage.getItem(TAB);
  if (!photo && !known) return;
  const key = known ?? newKey();
  if (photo) keepForOwner(TAB, key);
  else sessionStorage.removeItem(TAB);
  await attempt<unknown>("readwrite", (store) => {
    const all = store.openCursor();
    all.onsuccess = () => {
      if (!all.result) return;
      if ((all.result.value as Kept).at < Date.now() - LONGEST) all.result.delete();
      all.result.continue();
    };
    const done: IDBRequest = photo ? store.put(keptOf(photo), key) : store.delete(key);
    return done;
  });
}

function keptOf({ id, file, name }: Pick<Kept, "id" | "file" | "name">): Kept {
  return { id, file, name, at: Date.now() };
}

/** Keep beside the photo that it was sent: it is not sent again after a reload. */
export async function keepUpload(id: string, upload: KeptUpload): Promise<void> {
  const key = sessionStorage.getItem(TAB);
  if (!key) return;
  await attempt<Kept | undefined>("readwrite", (store) => {
    const kept: IDBRequest<Kept | undefined> = store.get(key);
    kept.onsuccess = () => void (kept.result?.id === id && store.put({ ...kept.result, upload }, key));
    return kept;
  });
}

const held = new Map<string, Blob>();
const ORDERED = "ordered "; // and the id of the photo: the key of one that an order takes along

/** Hold the photo of an order that takes it along, also over a reload: the photo of the tab may be another one before it is sent. */
export async function holdPhoto(photo: Pick<Kept, "id" | "file" | "name">): Promise<void> {
  held.set(photo.id, photo.file);
  await attempt("readwrite", (store) => store.put(keptOf(photo), ORDERED + photo.id));
}

/** Let it go: no order takes it along any more. */
export function releasePhoto(id: string): void {
  held.delete(id);
  void attempt("readwrite", (store) => store.delete(ORDERED + id));
}

/** Return the photo of such an order; null: it has gone. */
export async function heldPhoto(id: string): Promise<Blob | null> {
  return held.get(id) ?? (await kept(ORDERED + id))?.file ?? null;
}

/** Whether this tab has kept a photo, as far as is known at once. */
export const hasKeptPhoto = (): boolean => sessionStorage.getItem(TAB) !== null;

/** Return the photo that this tab has kept; null: none. */
export async function keptPhoto(): Promise<Kept | null> {
  const key = sessionStorage.getItem(TAB);
  return key ? kept(key) : null;
}

async function kept(key: string): Promise<Kept | null> {
  return (await attempt<Kept | undefined>("readonly", (store) => store.get(key))) ?? null;
}
