// Parts of the page that are loaded when they are first shown.
import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import { suspectServer } from "./reachability.ts";

type Part<Component> = { readonly default: Component };

const STARTED = "studio.started-again"; // when, in milliseconds
const ONCE_IN = 60_000; // milliseconds
const PAUSE = 1000; // milliseconds

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as React's own `lazy`
export function lazily<Component extends ComponentType<any>>(load: () => Promise<Part<Component>>): LazyExoticComponent<Component> {
  return lazy(() => load().catch(startAgain));
}

/**
 * Load the page anew, as soon as the server is there: a browser remembers that a script could not be loaded, and a new release
 * has other scripts. The address says which view it was; an order that was sent, and photos, are kept in the browser.
 */
async function startAgain(problem: unknown): Promise<never> {
  if (Date.now() - Number(sessionStorage.getItem(STARTED) ?? 0) < ONCE_IN) throw problem;
  for (;;) {
    await suspectServer();
    if (await isThere()) break;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  sessionStorage.setItem(STARTED, String(Date.now()));
  location.reload();
  return new Promise(() => {});
}

async function isThere(): Promise<boolean> {
  try {
    return (await fetch(location.href, { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
