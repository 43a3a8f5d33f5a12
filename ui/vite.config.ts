import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The server sends these files under a policy that allows no inline script and no inline style.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../hotline/pages",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
