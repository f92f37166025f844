// Light or dark: as the system says, until the visitor chooses.
import { useSyncExternalStore } from "react";
import { createListeners } from "./listeners.ts";

export type Theme = "light" | "dark";

const KEY = "studio.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = createListeners();

function chosen(): Theme | null {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : null;
}

function current(): Theme {
  return chosen() ?? (system.matches ? "dark" : "light");
}

function apply(): void {
  document.documentElement.dataset["theme"] = current();
  listeners.notify();
}

/** Show the theme from now on, also when the system or another tab changes it. */
export function startTheme(): void {
  system.addEventListener("change", apply);
  addEventListener("storage", ({ key }) => key === KEY && apply());
  apply();
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  apply();
}

export function useTheme(): Theme {
  return useSyncExternalStore(listeners.subscribe, current);
}
