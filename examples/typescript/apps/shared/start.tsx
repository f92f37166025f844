// What the three apps have in common: one client, its token kept for the tab, that of the device for good, and the studio in the page.
import "./studio.css";
import { Darkroom } from "@darkroom/client";
import { DarkroomProvider } from "@darkroom/client/react";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { DataProvider, type StudioData } from "./data.ts";
import { Studio } from "./studio.tsx";

const KEY = "darkroom.token";
const DEVICE_KEY = "darkroom.device";

export const darkroom = new Darkroom({
  url: import.meta.env.VITE_DARKROOM_URL ?? "http://127.0.0.1:8000/graphql",
  token: sessionStorage.getItem(KEY),
  deviceToken: localStorage.getItem(DEVICE_KEY),
  locale: navigator.language,
});
darkroom.onChange(() => {
  if (darkroom.token) sessionStorage.setItem(KEY, darkroom.token);
  else sessionStorage.removeItem(KEY);
  if (darkroom.deviceToken) localStorage.setItem(DEVICE_KEY, darkroom.deviceToken);
});

/** Show the studio; `wrap` adds the provider of a client library. */
export function start(name: string, data: StudioData, wrap: (studio: ReactNode) => ReactNode = (studio) => studio): void {
  createRoot(document.getElementById("root") as HTMLElement).render(
    <StrictMode>
      <DarkroomProvider client={darkroom}>
        <DataProvider value={data}>{wrap(<Studio name={name} />)}</DataProvider>
      </DarkroomProvider>
    </StrictMode>,
  );
}
