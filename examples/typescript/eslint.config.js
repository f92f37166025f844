// GraphQL ESLint: the printed schema by its recommended rules and the Relay specifications, the operations by theirs.
import graphql from "@graphql-eslint/eslint-plugin";

const languageOptions = {
  parser: graphql.parser,
  parserOptions: { graphQLConfig: { schema: "../../schema/schema.graphql", documents: "src/operations/*.graphql" } },
};

export default [
  {
    files: ["schema.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions,
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      "@graphql-eslint/strict-id-in-types": "off", // a price or an allowance is a value: it has no identity
      "@graphql-eslint/require-description": [
        "error",
        {
          types: true,
          DirectiveDefinition: true,
          rootField: true,
          // The names of these say what they are.
          ignoredSelectors: ["[name.value=/^(Query|Mutation|Subscription|PageInfo)$|(Payload|Connection|Edge|Input|Filter)$/]"],
        },
      ],
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: true }],
      "@graphql-eslint/relay-connection-types": "error",
      "@graphql-eslint/relay-edge-types": ["error", { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
      "@graphql-eslint/relay-page-info": "error",
    },
  },
  {
    files: ["src/operations/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions,
    rules: { ...graphql.configs["flat/operations-recommended"].rules },
  },
];
