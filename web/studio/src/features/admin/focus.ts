// The focus in dialogs: a button that is busy cannot have it, so it goes back to the button when a request was refused.
import { useEffect, type RefObject } from "react";

export function useFocusAfterRefusal(form: RefObject<HTMLFormElement | null>, problem: unknown): void {
  useEffect(() => {
    if (problem !== null) form.current?.querySelector<HTMLElement>("button[type=submit]")?.focus();
  }, [form, problem]);
}
