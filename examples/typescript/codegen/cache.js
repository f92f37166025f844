// A plugin of GraphQL Code Generator: what normalised caches need to know of the schema, without the whole of it.
// It imports nothing, so that other projects use it with their own copy of the graphql package.
const isAbstractType = (type) => ["GraphQLInterfaceType", "GraphQLUnionType"].includes(type[Symbol.toStringTag]);
const isObjectType = (type) => type[Symbol.toStringTag] === "GraphQLObjectType";

export function plugin(schema) {
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith("__"));
  const possible = Object.fromEntries(
    types.filter(isAbstractType).map((type) => [type.name, schema.getPossibleTypes(type).map((one) => one.name).sort()]),
  );
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const embedded = types.filter((type) => isObjectType(type) && !roots.includes(type) && !type.getFields()["id"]);
  return `/** The types behind each interface. */
export const possibleTypes = ${JSON.stringify(possible, null, 2)};

/** Types without an id: part of the object that contains them. */
export const embeddedTypes = ${JSON.stringify(embedded.map((type) => type.name).sort(), null, 2)};
`;
}
