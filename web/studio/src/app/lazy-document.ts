// Documents of operations, which are parsed when they are first used.
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
