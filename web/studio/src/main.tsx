// The studio: the page of Darkroom for its users.
import "@fontsource/instrument-serif/latin-400.css";
import "./styles/base.css";
import "./styles/opening.css";
import { StrictMode, startTransition } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/app.tsx";
import { startFileDrops } from "./app/file-drops.ts";
import { keepReferral } from "./features/auth/referral.ts";
import { startTheme } from "./app/theme.ts";

startTheme();
startFileDrops();
keepReferral();
// A transition is rendered in short steps, between which the browser answers the visitor.
startTransition(() =>
  createRoot(document.getElementById("root")!).render(
    <StrictMode>
      <App />
    </StrictMode>,
  ),
);
