// Documents that are parsed when they are first used: a page that starts needs few of them.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";

/** The document of a text; a text that is no GraphQL throws when the document is first read. */
export function lazyDocument<Result, Variables>(text: string): TypedDocumentNode<Result, Variables> {
  let definitions: TypedDocumentNode["definitions"] | undefined;
  return {
    kind: "Document" as TypedDocumentNode["kind"],
    get definitions() {
      return (definitions ??= parse(text, { noLocation: true }).definitions);
    },
  };
}
