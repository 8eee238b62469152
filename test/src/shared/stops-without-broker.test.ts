/** An orchestrator stops a service with SIGTERM and kills it 30 seconds later: a broker that is away must not use them up. */
import { expect, test } from 'vitest';
import { spawnProgram, tcpProxy } from '../harness/index.js';
import { openSync } from '../sync-worker/fixture.js';

/** Kubernetes waits 30 seconds, and a loaded machine needs room. A worker took 25 seconds before it was mended, and failed then. */
const GRACE_MS = 20_000;

test('idle services end by themselves, as asked, while NATS is away', async () => {
  const { natsUrl, database, prefix, keyText, sandbox } = await openSync();
  /** `closed`: the server is gone, and says so. `cut`: packets vanish. */
  const proxies = { closed: await tcpProxy(natsUrl), cut: await tcpProxy(natsUrl) };
  const services = (
    [
      ['sync-worker', 'closed'],
      ['sync-worker', 'cut'],
      ['scheduler', 'cut'],
      ['api', 'cut'],
      ['dashboard', 'cut'],
    ] as const
  ).map(([service, how]) => ({
    label: `${service}, ${how}`,
    program: spawnProgram(`services/${service}/dist/main.js`, {
      NATS_URL: proxies[how].url,
      DATABASE_URL: database.url,
      STRATUM_PREFIX: prefix,
      STRATUM_CREDENTIALS_KEY: keyText,
      API_PORT: '0',
      DASHBOARD_PORT: '0',
      ...sandbox.endpoints,
    }),
  }));
  await Promise.all(services.map(({ program }) => program.ready()));
  proxies.closed.close();
  proxies.cut.cut();
  const ends = services.map(async ({ label, program }) => {
    // What a supervisor does.
    const grace = setTimeout(() => void program.kill('SIGKILL'), GRACE_MS);
    const code = await program.kill('SIGTERM');
    clearTimeout(grace);
    return { label, code, output: code === 0 ? '' : program.output() };
  });
  expect(await Promise.all(ends)).toEqual(services.map(({ label }) => ({ label, code: 0, output: '' })));
}, 60_000);
