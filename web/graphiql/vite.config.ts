// Assets with a hash in their name go to dist/graphiql/, with relative URLs for deployments under a path prefix.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    assetsDir: "graphiql",
    chunkSizeWarningLimit: 8000, // kB; the editor is large, and loaded in chunks
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
});
