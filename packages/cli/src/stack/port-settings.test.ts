import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { choosePorts, PORTS, rememberPorts } from './port-settings.js';

const STANDARD = Object.fromEntries(Object.entries(PORTS).map(([key, { standard }]) => [key, standard]));
let home = '';

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'stratum-home-'));
  vi.stubEnv('STRATUM_HOME', home);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(home, { recursive: true, force: true });
  });
});

test('an option counts before a variable, a variable before the last start, the last start before the standard port', async () => {
  expect(await choosePorts({})).toEqual(STANDARD);
  await rememberPorts({
    natsPort: 'nats://127.0.0.1:41063',
    natsMonitorPort: null,
    databasePort: 'postgres://postgres:secret@127.0.0.1:36235/stratum',
    sandboxPort: null,
    apiPort: 'http://127.0.0.1:46399',
    dashboardPort: null,
  });
  expect(await choosePorts({})).toEqual({
    ...STANDARD,
    natsPort: 41_063,
    databasePort: 36_235,
    apiPort: 46_399,
  });
  vi.stubEnv('STRATUM_API_PORT', '0');
  vi.stubEnv('STRATUM_NATS_PORT', '4333');
  expect(await choosePorts({ natsPort: 4444 })).toMatchObject({ natsPort: 4444, apiPort: 0 });
});

test('a variable that is not a port is refused by name', async () => {
  vi.stubEnv('STRATUM_DATABASE_PORT', '70000');
  await expect(choosePorts({})).rejects.toThrow(
    'STRATUM_DATABASE_PORT must be a port from 0 to 65535, not "70000".',
  );
});

test('a damaged file counts as none', async () => {
  await writeFile(join(home, 'ports.json'), '{"natsPort": "many", "apiPort"');
  expect(await choosePorts({})).toEqual(STANDARD);
});
