import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, constants } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const OUTPUT = join(import.meta.dirname, '../web-dist');

/** Each text file beside itself, compressed once instead of for each request. */
function compress(): Plugin {
  return {
    name: 'compress',
    closeBundle: () => {
      for (const name of readdirSync(OUTPUT, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        const path = join(OUTPUT, name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: 'es2023',
    // A preload of ours would be a script inside the page, which its policy forbids.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  plugins: [compress()],
});
