// What went wrong, in the server's words: they are in the user's language.
import type { ReactNode } from "react";

export function Problem({ of: error }: { readonly of: Error | null }): ReactNode {
  return error && <p role="alert">{error.message}</p>;
}
