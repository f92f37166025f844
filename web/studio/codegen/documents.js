// A plugin of GraphQL Code Generator: typed documents that are parsed when they are first used. As parsed objects, those of
// the whole page were most of the scripts that a browser evaluates before it shows anything.
import { stripIgnoredCharacters, print, visit } from "graphql";

const text = (node) => JSON.stringify(stripIgnoredCharacters(print(node)));

export const lazyDocuments = {
  plugin(_schema, documents) {
    const definitions = documents.flatMap(({ document }) => document.definitions);
    const isFragment = ({ kind }) => kind === "FragmentDefinition";
    const fragments = new Map(definitions.filter(isFragment).map((fragment) => [fragment.name.value, fragment]));
    const used = new Set();
    const exported = definitions.filter((definition) => !isFragment(definition)).map((operation) => {
      const { name, operation: kind } = operation;
      if (!/^([A-Z][a-z0-9]+)+$/.test(name?.value)) throw new Error(`${name?.value} is no name like CreateAlbum, which types are named after.`);
      const result = `${name.value}${kind[0].toUpperCase()}${kind.slice(1)}`;
      const spread = fragmentsOf(operation, fragments);
      spread.forEach((fragment) => used.add(fragment));
      const parts = [text(operation), ...spread].join(" + ");
      return `export const ${name.value}Document = /* @__PURE__ */ lazyDocument<${result}, ${result}Variables>(${parts});`;
    });
    const texts = [...used].map((fragment) => `const ${fragment} = ${text(fragments.get(fragment))};`);
    return { prepend: ['import { lazyDocument } from "@darkroom/client/lazy-document.ts";'], content: [...texts, ...exported].join("\n") };
  },
};

/** The names of the fragments that a node spreads, and that those spread. */
function fragmentsOf(node, fragments, found = new Set()) {
  visit(node, {
    FragmentSpread({ name: { value } }) {
      if (found.has(value)) return;
      found.add(value);
      fragmentsOf(fragments.get(value), fragments, found);
    },
  });
  return [...found];
}
