// Three small apps in one folder: `npm run dev` serves them, `npm run apps` builds them.
import { globSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist-apps",
    emptyOutDir: true,
    rollupOptions: { input: ["index.html", ...globSync("*/index.html", { cwd: import.meta.dirname })] },
  },
});
