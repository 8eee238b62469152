/**
 * `npm run test:containers`: install, build, and run what needs a container engine: suites of the framework on NATS and PostgreSQL in containers,
 * and the whole platform by `deploy/compose.yaml`. Arguments go to vitest instead of the list of suites. Exit code 69: no engine can be had here.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, prepare, ROOT, run, runTests } from './bootstrap.mjs';

const ENGINE = join(ROOT, 'deploy/offline/engine.sh');
const SUITES = ['test/src/containers', 'test/src/jobs/tasks.test.ts', 'test/src/jobs/dead-letters.test.ts'];
/** Names of images that Compose takes from a registry, and what `deploy/offline/images.sh` makes where none is reached. */
const IMAGES = {
  NODE_IMAGE: ['node:22-bookworm-slim', 'stratum-offline/node'],
  BASE_IMAGE: ['debian:bookworm-slim', 'stratum-offline/debian:bookworm'],
  NATS_IMAGE: ['nats:2.12.6-alpine', 'stratum-offline/nats'],
  POSTGRES_IMAGE: ['postgres:18', 'stratum-offline/postgres'],
  PROMETHEUS_IMAGE: ['prom/prometheus:v3.5.0', 'stratum-offline/prometheus'],
};

if (process.env['STRATUM_IN_ENGINE'] === undefined) {
  await prepare();
  process.env['STRATUM_IN_ENGINE'] = '1';
  const args = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
  process.exitCode = await run(ENGINE, args);
} else {
  const given = process.argv.slice(2);
  Object.assign(process.env, await images());
  Object.assign(process.env, {
    STRATUM_TEST_BACKEND: 'docker',
    STRATUM_TEST_CONTAINERS: '1',
    // Its image comes from a registry. The containers are removed at the end of the run.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  });
  process.exitCode = await runTests(given.length > 0 ? given : SUITES);
}

/** The images by the names of their settings: from a registry, or made of this machine's programs. */
async function images() {
  const quiet = { onOutput: () => undefined };
  for (const [image] of Object.values(IMAGES)) {
    const present = await run('docker', ['image', 'inspect', image], quiet);
    if (present !== 0 && (await run('docker', ['pull', '--quiet', image], quiet)) !== 0) {
      console.log(`${image} cannot be had from a registry: base images are made of this machine's programs.`);
      await makeImages();
      return Object.fromEntries(Object.entries(IMAGES).map(([setting, [, offline]]) => [setting, offline]));
    }
  }
  return {};
}

async function makeImages() {
  const { resolve } = createRequire(join(ROOT, 'packages/cli/package.json'));
  const { findNatsServer } = await import(pathToFileURL(resolve('@stratum/jobs/embedded')).href);
  const { path } = await findNatsServer({ cacheDir: join(ROOT, '.stratum'), onProgress: console.log });
  const env = { ...process.env, NATS_SERVER_BIN: path };
  if ((await run(join(ROOT, 'deploy/offline/images.sh'), [], { env })) !== 0)
    fail('They could not be made; the reason is above.');
}
