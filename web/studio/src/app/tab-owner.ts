// Whose is what this tab keeps, such as words, orders and the photo: the next account of the browser must not find it.
import { useState, useSyncExternalStore } from "react";
import { createListeners } from "./listeners.ts";

/** What begins like this in the storage of the tab is dropped with its account. */
export const OWN = "studio.own.";
const OWNER = "studio.owner"; // beside what is kept, so that it is known after a reload

let owner: string | null = null;
let changes = 0;
const listeners = createListeners();

const keptKeys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(OWN));

/** Keep `text` by a key that begins with `OWN`. */
export function keepForOwner(key: string, text: string): void {
  sessionStorage.setItem(key, text);
  if (owner) sessionStorage.setItem(OWNER, owner);
}

/** A text of a form that is kept by this name until it is empty. */
export function useKeptText(name: string): [string, (text: string) => void] {
  const key = OWN + name;
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? "");
  const change = (next: string) => {
    setText(next);
    if (next) keepForOwner(key, next);
    else sessionStorage.removeItem(key);
  };
  return [text, change];
}

/** Set the id of the account that is signed in; null: none is. An account gets what a visitor kept, not what another account did. */
export function setTabOwner(id: string | null): void {
  const before = owner ?? sessionStorage.getItem(OWNER);
  owner = id;
  if (before && before !== id) {
    changes++;
    listeners.notify();
    for (const key of [OWNER, ...keptKeys()]) sessionStorage.removeItem(key);
  } else if (id && keptKeys().length) sessionStorage.setItem(OWNER, id);
}

/** What a guest has in this tab goes along to the account. */
export function passTabOn(id: string): void {
  owner = id;
  if (keptKeys().length) sessionStorage.setItem(OWNER, id);
}

const unfinished = new Set<() => Promise<unknown>>();

/** Have `finish` awaited before the session changes, as it works in this one alone; return a function that takes it back. */
export function beforeLeaving(finish: () => Promise<unknown>): () => void {
  unfinished.add(finish);
  return () => void unfinished.delete(finish);
}

/** Finish what was begun in this session; what cannot be done has said so itself. */
export async function finishBeforeLeaving(): Promise<void> {
  await Promise.allSettled([...unfinished].map((finish) => finish()));
}

/** Call `listener` when what the tab kept is dropped; return a function that stops it. */
export const onTabLeft = listeners.subscribe;

/** A number that is another one after what the tab kept was dropped: as a key, it makes a view begin anew. */
export function useTabOwner(): number {
  return useSyncExternalStore(onTabLeft, () => changes);
}
