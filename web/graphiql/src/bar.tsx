// The bar above the editor: title, account and live credit balance.
import { useEffect, useRef, type ReactNode } from "react";

import type { Viewer } from "./api";
import icon from "./icon.svg";
import type { Text } from "./text";

interface Props {
  text: Text;
  viewer: Viewer | null;
  credits: number;
  onSignOut: () => void;
  menuRef: (element: HTMLElement | null) => void;
  photo: ReactNode; // the button that chooses a photo
  signIn: ReactNode; // the form, if signed out; null if it is shown elsewhere
}

export function Bar({ text, viewer, credits, onSignOut, menuRef, photo, signIn }: Props) {
  const panel = useRef<HTMLDetailsElement>(null);

  useEffect(() => {
    function close(event: KeyboardEvent) {
      if (event.key === "Escape" && panel.current?.open) {
        panel.current.open = false;
        panel.current.querySelector("summary")?.focus();
      }
    }
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, []);

  return (
    <header className="bar">
      <h1>
        <img src={icon} alt="" width="24" height="24" />
        Darkroom
      </h1>
      <span className="tagline">{text.tagline}</span>
      <span className="space" ref={menuRef} />
      {photo}
      {viewer ? (
        <>
          {viewer.role !== "USER" && <span className="badge">{text.admin}</span>}
          <span className="who" title={viewer.id}>
            {viewer.email ?? viewer.name ?? viewer.id}
          </span>
          <output className="credits" aria-live="polite">
            <b>{credits.toLocaleString(document.documentElement.lang)}</b> {text.credits}
          </output>
          <button type="button" onClick={onSignOut}>
            {text.signOut}
          </button>
        </>
      ) : (
        signIn && (
          <details
            className="panel"
            ref={panel}
            onToggle={(event) => event.currentTarget.open && event.currentTarget.querySelector("input")?.focus()}
          >
            <summary>{text.signIn}</summary>
            {signIn}
          </details>
        )
      )}
    </header>
  );
}
