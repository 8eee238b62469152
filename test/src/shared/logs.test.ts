/** What a service logs: lines of JSON, and no secret, whatever its libraries put into their errors. */
import { fileURLToPath } from 'node:url';
import { SERVICES } from '@stratum/shared';
import { expect, test } from 'vitest';
import { spawnProgram, testNamespace, waitFor } from '../harness/index.js';

const CARELESS = fileURLToPath(new URL('careless-driver.mjs', import.meta.url));
const KEY = Buffer.alloc(32, 'planted-4-').toString('base64');

test.each(SERVICES)('%s logs no secret', async (service) => {
  const { natsUrl, prefix } = await testNamespace();
  const program = spawnProgram(`services/${service}/dist/main.js`, {
    NODE_OPTIONS: `--import=${CARELESS}`,
    NATS_URL: natsUrl.replace('://', '://app:planted-1@'),
    DATABASE_URL:
      'postgres://stratum:planted%2d2@careless.test/stratum?sslpassword=planted-3&sslmode=disable',
    STRATUM_CREDENTIALS_KEY: `k1:${KEY}`,
    STRATUM_PREFIX: prefix,
    META_AD_LIBRARY_TOKEN: 'planted-5-of-the-library',
    API_PORT: '0',
    DASHBOARD_PORT: '0',
    LOG_LEVEL: 'trace',
  });
  await waitFor('the error', () => program.output().includes('careless: '));
  await program.kill('SIGKILL');
  const output = program.output();
  expect(output).toContain('***');
  expect(output).not.toMatch(/planted/);
  expect(output).not.toContain(KEY);
  // The last one may have been cut.
  for (const text of output.trimEnd().split('\n').slice(0, -1))
    expect(JSON.parse(text)).toMatchObject({ level: expect.any(Number), name: service });
});
