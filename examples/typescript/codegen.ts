// GraphQL Code Generator: types for every operation in src/, from the schema that the server prints.
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: ["src/**/*.ts", "!src/gql/**"],
  importExtension: ".ts", // node runs the sources as they are
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string", // an operation is its own text: the client needs no parser
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { ID: "string", DateTime: "string", JSON: "Record<string, unknown>", Upload: "Blob" },
      },
    },
  },
};

export default config;
