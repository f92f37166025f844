// Assets with a hash in their name go to dist/studio/, with absolute URLs: the page is served at many addresses.
import react from "@vitejs/plugin-react";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { home } from "./src/locales/home.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const client = here("../../examples/typescript/src/");

/** The client package imports what is generated from its operations; here that is src/gql, with this page's added. */
const generated: Plugin = {
  name: "generated",
  enforce: "pre",
  resolveId(source, importer) {
    const file = /^\.\.?\/gql\/(\w+\.ts)$/.exec(source)?.[1];
    return file && importer?.startsWith(client) ? here(`src/gql/${file}`) : null;
  },
};

/**
 * Questions that React Aria asks as it is loaded, for which browsers read the calendars and numbers of every language: most
 * of the time that a phone takes to evaluate the scripts. The first of these answers throws for the same names, the second
 * leaves the direction to a list of languages, and every browser that the build is for formats signs.
 */
const questions = {
  "/i18n/useDefaultLocale.mjs": [/Intl\.DateTimeFormat\.supportedLocalesOf\(\[\s*locale\s*\]\)/, "Intl.getCanonicalLocales(locale)"],
  "/i18n/utils.mjs": [/Intl\.Locale(?=\) \{)/, "false"],
  "/number/dist/private/NumberFormatter.mjs": [/new Intl\.NumberFormat\('de-DE', \{[^}]*\}\)\.resolvedOptions\(\)\.signDisplay === 'exceptZero'/, "true"],
} as const;

const unanswered = new Set(Object.keys(questions));

const quickAnswers: Plugin = {
  name: "quick-answers",
  apply: "build",
  transform(code, id) {
    for (const [path, [question, answer]] of Object.entries(questions)) {
      if (!id.endsWith(path) || !question.test(code)) continue;
      unanswered.delete(path);
      return code.replace(question, answer);
    }
    return null;
  },
  buildEnd(error) {
    if (unanswered.size && !error) throw new Error(`React Aria no longer asks in ${[...unanswered].join(" and ")}: see "questions".`);
  },
};

/**
 * What the page loads stands at its end: the words of its start are painted before the style sheet has come, by the
 * styles that the server writes into the page. The style sheet comes before the scripts, which would otherwise take all
 * of HTTP/1.1's connections, and the scripts wait for it. The font of the headings is fetched at once.
 */
const loadedLast: Plugin = {
  name: "loaded-last",
  apply: "build",
  transformIndexHtml: {
    order: "post",
    handler(html, { bundle }) {
      const [sheet = ""] = /<link rel="stylesheet"[^>]*>/.exec(html) ?? [];
      const scripts = html.match(/<script type="module"[^>]*><\/script>|<link rel="modulepreload"[^>]*>/g) ?? [];
      const font = `<link rel="preload" as="font" type="font/woff2" crossorigin href="/${fontIn(bundle)}">`;
      const rest = [sheet, ...scripts].reduce((before, tag) => before.replace(tag, ""), html).replace(/\n\s*\n/g, "\n");
      return rest.replace("</head>", `  ${font}\n  </head>`).replace("</body>", `  ${[sheet, ...scripts].join("\n    ")}\n  </body>`);
    },
  },
};

function fontIn(bundle: object = {}): string {
  const found = Object.keys(bundle).find((name) => name.endsWith(".woff2"));
  if (!found) throw new Error("The build has no font.");
  return found;
}

/** The server sends these to browsers that take them. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  async closeBundle() {
    const folder = here("dist/studio/");
    for (const name of await readdir(folder)) {
      if (!/\.(js|css|svg)$/.test(name)) continue;
      await writeFile(`${folder}${name}.br`, await promisify(brotliCompress)(await readFile(folder + name)));
    }
  },
};

/** What visitors read until the scripts have come, and its styles: the server writes both into the page. */
const opening: Plugin = {
  name: "opening",
  apply: "build",
  async generateBundle(_, bundle) {
    for (const [locale, { title, lead }] of Object.entries({ en: home.en, "zh-CN": home.zh })) {
      const words = `<div class="words"><h1>${title}</h1><p>${lead}</p><div class="acts"></div></div>`;
      const source = `<header></header><main id="main"><div class="opening">${words}<div class="prints"></div></div></main>`;
      this.emitFile({ type: "asset", fileName: `opening.${locale}.html`, source });
    }
    const sheet = async (name: string) => await readFile(here(`src/styles/${name}.css`), "utf8");
    const [tokens, base, start] = await Promise.all([sheet("tokens"), sheet("base"), sheet("opening")]);
    const [, dark] = /^:root\[data-theme="dark"\] (\{.*?\})/ms.exec(tokens) ?? [];
    if (!dark) throw new Error("The tokens have no dark theme.");
    // Before the scripts have come, the system alone says which theme it is.
    const theme = `@media (prefers-color-scheme: dark) { :root:not([data-theme]) ${dark} }`;
    const font = `@font-face { font-family: "Instrument Serif"; font-display: swap; src: url("/${fontIn(bundle)}") format("woff2"); }`;
    const source = [font, tokens, theme, base.replace('@import "./tokens.css";', ""), start].join("\n");
    const small = source.replace(/\/\*.*?\*\//gs, "").replace(/\s+/g, " ").trim();
    this.emitFile({ type: "asset", fileName: "opening.css", source: small });
  },
};

export default defineConfig({
  plugins: [generated, quickAnswers, react(), opening, loadedLast, compressed],
  resolve: {
    alias: [
      { find: "@darkroom/client", replacement: client.replace(/\/$/, "") },
      { find: /^graphql$/, replacement: "@0no-co/graphql.web" }, // parse and print alone, an eighth of its size
      // Their clients alone: the servers beside them need the whole of graphql.
      { find: /^graphql-ws$/, replacement: here("node_modules/graphql-ws/dist/client.js") },
      { find: /^graphql-sse$/, replacement: here("node_modules/graphql-sse/lib/client.mjs") },
    ],
    dedupe: ["@0no-co/graphql.web", "@urql/core", "@urql/exchange-graphcache", "react"],
  },
  build: {
    assetsDir: "studio",
    cssCodeSplit: false, // one file, small enough for every view
    assetsInlineLimit: 0, // data: URLs of fonts and scripts would need a wider policy
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/graphql": { target: "http://127.0.0.1:8000", ws: true }, "/files": "http://127.0.0.1:8000" } },
});
