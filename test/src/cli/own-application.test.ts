/** The command works on an own application: by its configuration file, or by its prefix alone. */
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { applicationConfig, applicationFolder, applicationWorker } from '../harness/application-folder.js';
import { testNamespace } from '../harness/index.js';
import { runStratum, type Ran } from './stratum.js';

/** Many programs, one after the other. */
const TIMEOUT_MS = 300_000;

interface Own {
  folder: string;
  file: string;
  prefix: string;
  connection: NatsConnection;
  stratum: (args: readonly string[], env?: NodeJS.ProcessEnv, cwd?: string) => Promise<Ran>;
  json: (...args: string[]) => Promise<unknown>;
}

/** In a folder below the configuration file unless another one is given. */
async function openOwn(): Promise<Own> {
  const { natsUrl, prefix, connection } = await testNamespace();
  const folder = await applicationFolder({
    'stratum.config.ts': applicationConfig(prefix),
    'src/keep': '',
  });
  const stratum: Own['stratum'] = (args, env = {}, cwd = join(folder, 'src')) =>
    runStratum(args, { NATS_URL: natsUrl, ...env }, undefined, cwd);
  return {
    folder,
    file: join(folder, 'stratum.config.ts'),
    prefix,
    connection,
    stratum,
    json: async (...args) => {
      const { code, stdout, stderr } = await stratum([...args, '--json']);
      expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
      return JSON.parse(stdout);
    },
  };
}

test(
  'topology, tasks, results, dead letters and schedules of the file that is found above',
  { timeout: TIMEOUT_MS },
  async () => {
    const own = await openOwn();
    const { json, stratum, prefix } = own;
    expect(await stratum(['queues'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/stream not found|topology reconcile/),
    });
    const planned = await json('topology', 'reconcile', '--dry-run');
    expect(planned).toMatchObject({ prefix, dry_run: true, updated: [], unchanged: [] });
    expect(await json('topology', 'reconcile')).toMatchObject({
      ...Object(planned),
      dry_run: false,
    });
    expect((await stratum(['topology', 'reconcile'])).stdout).toContain(
      `with the prefix "${prefix}" are current`,
    );
    await applicationWorker(own.file, own.connection);

    expect(await json('queues')).toMatchObject([{ queue: 'letters' }, { queue: 'paper' }]);
    expect(await json('tasks', 'list')).toMatchObject([{ name: 'mail' }, { name: 'print' }]);
    expect(await json('call', 'mail', '-f', 'to=ada', '--wait')).toMatchObject({
      state: 'SUCCESS',
      result: { sent: true },
    });
    expect((await stratum(['call', 'sync_campaign_data', '{}'])).stderr).toContain(
      'There is no task "sync_campaign_data"',
    );
    expect((await stratum(['call', 'mail', '--help'])).stdout).toContain('Payload of mail');

    expect((await stratum(['call', 'mail', '-f', 'to=nobody', '--id', 'lost', '--wait'])).code).toBe(1);
    expect(await json('dead', 'list')).toMatchObject([{ id: 'lost', task: 'mail' }]);
    expect((await stratum(['dead', 'replay', 'lost', '--payload', '{"to":9}'])).stderr).toContain('to: ');
    expect(await json('dead', 'replay', 'lost', '--payload', '{"to":"ada"}')).toEqual({ replayed: 1 });
    expect(await json('result', 'lost', '--wait', '30s')).toMatchObject({ state: 'SUCCESS' });

    const entry = [
      'schedules',
      'add',
      'weekly',
      '--task',
      'print',
      '--payload',
      '{"to":"ada"}',
      '--cron',
      '0 9 * * 1',
    ];
    expect(await json(...entry)).toMatchObject({ name: 'weekly', queue: 'paper' });
    expect(await json('schedules', 'list')).toMatchObject([{ name: 'weekly' }]);
    expect((await stratum(['complete', '--', 'stratum', 'call', ''])).stdout).toContain('mail');
  },
);

test(
  'queues are found by the prefix alone, and another file by --config',
  { timeout: TIMEOUT_MS },
  async () => {
    const { stratum, file, prefix } = await openOwn();
    const nowhere = await applicationFolder({});
    expect(await stratum(['queues'], { STRATUM_PREFIX: prefix }, nowhere)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`no queues with the prefix "${prefix}"`),
    });
    expect((await stratum(['--config', file, 'topology', 'reconcile'], {}, nowhere)).code).toBe(0);
    const status = await stratum(['status', '--json'], { STRATUM_PREFIX: prefix }, nowhere);
    expect(JSON.parse(status.stdout)).toMatchObject({ queues: [{ queue: 'letters' }, { queue: 'paper' }] });
    expect((await stratum(['tasks', 'list', `--config=${file}`], {}, nowhere)).stdout).toContain('print');
    expect((await stratum(['topology', 'reconcile'], { STRATUM_PREFIX: prefix }, nowhere)).stderr).toContain(
      `The prefix "${prefix}" belongs to an application with other queues (letters, paper)`,
    );
    // A prefix that is given outranks a file that nobody named.
    const other = await applicationFolder({ 'stratum.config.mjs': applicationConfig(`${prefix}_other`) });
    const queues = await stratum(['queues', '--json'], { STRATUM_PREFIX: prefix }, other);
    expect(JSON.parse(queues.stdout)).toMatchObject([{ queue: 'letters' }, { queue: 'paper' }]);
  },
);

test('a wrong configuration is refused, by name', { timeout: TIMEOUT_MS }, async () => {
  const { stratum, folder } = await openOwn();
  const refusal = async (files: Record<string, string>, args: string[] = []): Promise<string> => {
    const { code, stderr } = await stratum(
      ['tasks', 'list', ...args, '--json'],
      {},
      await applicationFolder(files),
    );
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'invalid_configuration' } });
    return stderr;
  };
  expect(await refusal({}, ['--config', 'missing.js'])).toMatch(/missing\.js does not exist/);
  expect(await refusal({ 'stratum.config.js': 'export const a = 1;' })).toMatch(/no default export/);
  expect(await refusal({ 'stratum.config.js': 'export default { queues: 7 };' })).toMatch(/- queues: /);
  expect(
    await refusal({ 'stratum.config.js': 'export default {};', 'stratum.config.ts': 'export default {};' }),
  ).toMatch(/stratum\.config\.ts and .*stratum\.config\.js are both there/);
  expect((await stratum(['tasks', 'list', '--config'], {}, folder)).stderr).toMatch(
    /--config <file>.*argument missing/,
  );
});
