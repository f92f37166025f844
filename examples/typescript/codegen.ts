// GraphQL Code Generator: types and typed documents for every operation in src/operations/, from the printed schema.
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: ["src/operations/*.graphql"],
  importExtension: ".ts",
  generates: {
    "src/gql/": {
      preset: "client",
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
