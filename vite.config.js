// Builds drivercrm/ui/assets into drivercrm/ui/static/built: names carry the content's hash, so browsers may
// keep them for ever; manifest.json tells the template tag {% asset %} which name is current.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const source = "drivercrm/ui/assets";
const built = "drivercrm/ui/static/built";

/** Adds the icon sprite, writes the manifest, and leaves .br and .gz copies beside every text file. */
function publish() {
  return {
    name: "publish",
    buildStart() {
      this.addWatchFile(join(import.meta.dirname, source, "icons.svg"));
      const drawings = readFileSync(join(source, "icons.svg"), "utf8");
      const text = drawings
        .replace(/<!--.*?-->/gs, "")
        .replace(/>\s+</g, "><")
        .trim();
      this.emitFile({ type: "asset", name: "i.svg", source: text });
      this.emitFile({
        type: "asset",
        name: "icon.svg",
        source: readFileSync(join(source, "icon.svg"), "utf8"),
      });
    },
    writeBundle(_options, bundle) {
      const manifest = {};
      for (const file of Object.values(bundle)) {
        const name = file.fileName.replace(/^assets\//, "").replace(/-[\w-]{8}(\.\w+)$/, "$1");
        manifest[name === "i.svg" ? "icons.svg" : name] = file.fileName;
        if (file.fileName.endsWith(".woff2")) continue;
        const body = Buffer.from(file.type === "chunk" ? file.code : file.source);
        writeFileSync(join(built, `${file.fileName}.gz`), gzipSync(body, { level: 9 }));
        const size = { [constants.BROTLI_PARAM_SIZE_HINT]: body.length };
        writeFileSync(join(built, `${file.fileName}.br`), brotliCompressSync(body, { params: size }));
      }
      const sorted = Object.fromEntries(Object.entries(manifest).sort());
      writeFileSync(join(built, "manifest.json"), `${JSON.stringify(sorted, null, 2)}\n`);
    },
  };
}

export default defineConfig({
  base: "./",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: built,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    cssTarget: ["chrome111", "firefox114", "safari16.4"],
    rollupOptions: {
      // htmx holds one eval that allowEval=false keeps from running and the policy of the pages forbids
      checks: { eval: false },
      input: { app: `${source}/js/app.js`, styles: `${source}/css/app.css` },
      output: {
        entryFileNames: "assets/[name]-[hash:8].js",
        chunkFileNames: "assets/[name]-[hash:8].js",
        assetFileNames: "assets/[name]-[hash:8][extname]",
      },
    },
  },
  plugins: [publish()],
});
