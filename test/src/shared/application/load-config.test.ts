/** The configuration module of an own application, read from a file. */
import { join } from 'node:path';
import { loadConfiguration, openApplication, PLATFORM, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, test } from 'vitest';
import { applicationConfig, applicationFolder } from '../../harness/application-folder.js';

const CONFIGURATION = loadConfiguration(TOPOLOGY_SETTINGS, {});

const TYPED = `
import { settings, Mode } from './settings.js';
import type { StratumConfigOptions } from '@stratum/jobs';
const options: StratumConfigOptions = { ...settings, tasks: [], prefix: Mode.Own };
export default options;
`;
const SETTINGS = `
export enum Mode { Own = 'own' }
export const settings = { queues: [{ name: 'letters' }] };
`;

test('without a file the platform is served', async () => {
  expect(await openApplication(undefined)).toBe(PLATFORM);
});

test.each(['js', 'mjs', 'ts', 'mts'])('a .%s file is loaded', async (extension) => {
  const folder = await applicationFolder({ [`stratum.config.${extension}`]: applicationConfig('own') });
  const { tasks, tenantTasks, topology } = await openApplication(join(folder, `stratum.config.${extension}`));
  expect(tasks.map(({ name }) => name)).toEqual(['mail', 'print']);
  expect(tenantTasks.map(({ name }) => name)).toEqual(['mail']);
  const { names, queues } = topology(CONFIGURATION);
  expect([names.prefix, queues.map(({ name }) => name)]).toEqual(['own', ['letters', 'paper']]);
});

test('TypeScript needs no build: type annotations, enums, imports that end in .js, options without defineConfig', async () => {
  const folder = await applicationFolder({ 'stratum.config.ts': TYPED, 'settings.ts': SETTINGS });
  const { topology } = await openApplication(join(folder, 'stratum.config.ts'));
  expect(topology(CONFIGURATION).names.prefix).toBe('own');
});

test.each<[string, string | undefined, RegExp]>([
  ['is missing', undefined, /the configuration file .*config\.mjs does not exist/],
  [
    'has no default export',
    'export const config = 1;',
    /config\.mjs has no default export made by defineConfig/,
  ],
  ['exports no object', 'export default 7;', /has no default export made by defineConfig/],
  ['throws', 'throw new Error("no vault");', /config\.mjs cannot be loaded: no vault/],
  ['is not JavaScript', 'export default {', /config\.mjs cannot be loaded: /],
  ['imports a missing package', "import 'missing-package';", /cannot be loaded: .*missing-package/],
  ['has a wrong shape', 'export default { queues: [] };', /- queues: [^]*- tasks: is missing/],
])('a file that %s is refused, by name', async (_case, text, message) => {
  const folder = await applicationFolder(text === undefined ? {} : { 'config.mjs': text });
  await expect(openApplication(join(folder, 'config.mjs'))).rejects.toMatchObject({
    code: 'invalid_configuration',
    message: expect.stringMatching(message),
  });
});
