// The Relay specifications (cursor connections, node), as graphql-eslint checks them on the printed schema.
import graphql from "@graphql-eslint/eslint-plugin";

const parserOptions = { graphQLConfig: { schema: "../../schema/schema.graphql" } };

export default [
  {
    files: ["**/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: { parser: graphql.parser, parserOptions },
    rules: {
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: true }],
      "@graphql-eslint/relay-connection-types": "error",
      "@graphql-eslint/relay-edge-types": ["error", { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
      "@graphql-eslint/relay-page-info": "error",
    },
  },
];
