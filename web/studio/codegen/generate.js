// Writes src/gql/: types and documents of the operations of this page and of the client package, from the printed schema.
// Those of the admin desk are a module of their own: a module is loaded as a whole, and only admins need this one.
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import { buildSchema, parse } from "graphql";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import * as cache from "../../../examples/typescript/codegen/cache.js";
import { lazyDocuments } from "./documents.js";

const SCHEMA = "../../schema/schema.graphql";
const FOLDERS = ["../../examples/typescript/src/operations", "src/operations"];

const here = (path) => new URL(`../${path}`, import.meta.url);
const read = (path) => readFile(here(path), "utf8");

async function documents() {
  const names = await Promise.all(
    FOLDERS.map(async (folder) => (await readdir(here(folder))).map((name) => `${folder}/${name}`)),
  );
  const files = names.flat().filter((name) => name.endsWith(".graphql")).sort();
  return Promise.all(files.map(async (location) => ({ location, document: parse(await read(location)) })));
}

const isOfDesk = ({ location }) => /\/admin[^/]*$/.test(location);
const isShared = ({ location }) => location.endsWith("/fragments.graphql");

const text = await read(SCHEMA);
const all = await documents();
const common = {
  schema: parse(text),
  schemaAst: buildSchema(text),
  config: {
    enumsAsTypes: true,
    useTypeImports: true,
    strictScalars: true,
    scalars: { ID: "string", DateTime: "string", JSON: "Record<string, unknown>", Upload: "Blob" },
  },
};
await mkdir(here("src/gql"), { recursive: true });
for (const [filename, isIn] of [
  ["graphql.ts", (document) => !isOfDesk(document)],
  ["admin.ts", (document) => isOfDesk(document) || isShared(document)],
]) {
  await writeFile(
    here(`src/gql/${filename}`),
    await codegen({
      ...common,
      documents: all.filter(isIn),
      filename,
      plugins: [{ operations: {} }, { lazyDocuments: {} }],
      pluginMap: { operations, lazyDocuments },
    }),
  );
}
await writeFile(here("src/gql/cache.ts"), cache.plugin(common.schemaAst));
