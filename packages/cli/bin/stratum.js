#!/usr/bin/env node
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write(
    'Stratum is not built yet. Run `npm start` once, or `npx pnpm install && npx tsc -b`.\n',
  );
  process.exitCode = 1;
}
