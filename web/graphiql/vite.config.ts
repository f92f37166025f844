// Files with a hash in their name go into dist/graphiql/, and are found beside the page whatever comes before /graphql.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    assetsDir: "graphiql",
    chunkSizeWarningLimit: 8000, // kB; an editor is large, and comes in pieces
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
});
