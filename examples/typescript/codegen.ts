// GraphQL Code Generator: types and typed documents for every operation in src/operations/, from the printed schema.
import type { CodegenConfig } from "@graphql-codegen/cli";
import { Kind, visit, type DocumentNode, type FieldNode } from "graphql";

const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: "__typename" } };

/** Add what normalised caches add to the documents that they send: by its hash, a document is sent as it is here. */
function withTypenames(document: DocumentNode): DocumentNode {
  return visit(document, {
    SelectionSet(set, _, parent) {
      if (!parent || ("kind" in parent && parent.kind === Kind.OPERATION_DEFINITION)) return undefined;
      if (set.selections.some((one) => one.kind === Kind.FIELD && one.name.value === TYPENAME.name.value)) return undefined;
      return { ...set, selections: [...set.selections, TYPENAME] };
    },
  });
}

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: ["src/operations/*.graphql"],
  importExtension: ".ts",
  generates: {
    "src/gql/": {
      preset: "client",
      documentTransforms: [
        {
          transform: ({ documents }) =>
            documents.map((file) => ({ ...file, ...(file.document && { document: withTypenames(file.document) }) })),
        },
      ],
      // persisted-documents.json is a manifest for TRUSTED_DOCUMENTS_FILES, by the hash that each document carries.
      presetConfig: { fragmentMasking: false, persistedDocuments: { mode: "embedHashInDocument", hashAlgorithm: "sha256" } },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { ID: "string", DateTime: "string", JSON: "Record<string, unknown>", Upload: "Blob" },
      },
    },
    "src/gql/cache.ts": { plugins: ["./codegen/cache.js"] },
  },
};

export default config;
