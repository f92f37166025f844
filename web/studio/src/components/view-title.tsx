// What a view is called: by the window's title with the site's name, and by its heading.
import { useEffect } from "react";

export const site = document.documentElement.dataset["title"] ?? "Darkroom";

/** The title of the window, of a view that is called otherwise than its heading. */
export function WindowTitle({ children }: { readonly children: string }) {
  useEffect(() => {
    document.title = `${children} · ${site}`;
  }, [children]);
  return null;
}

/** The heading of a view, which is in the window's title, too. */
export function ViewTitle({ className, children }: { readonly className?: string | undefined; readonly children: string }) {
  return (
    <>
      <WindowTitle>{children}</WindowTitle>
      <h1 className={className}>{children}</h1>
    </>
  );
}
