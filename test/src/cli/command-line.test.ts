/** Help, reference and failures of the `stratum` command without a stack. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runProgram, runStratum, PROGRAM } from './stratum.js';

const REFERENCE = fileURLToPath(new URL('../../../docs/reference/cli.md', import.meta.url));

/** They print logs, or text for a shell. */
const WITHOUT_JSON = new Set(['completion', 'help', 'worker', 'scheduler', 'api', 'dashboard']);

/** The commands of the reference that do something by themselves, with their help. */
async function documented(): Promise<Map<string, string>> {
  const sections = (await readFile(REFERENCE, 'utf8')).split(/^## `stratum(?: (.*))?`$/m).slice(1);
  const commands = new Map<string, string>();
  for (let index = 0; index < sections.length; index += 2) {
    const [name, help = ''] = sections.slice(index, index + 2);
    if (name !== undefined && !help.includes('\nCommands:')) commands.set(name, help);
  }
  return commands;
}

describe('the reference', () => {
  test('matches the help of the commands', async () => {
    const { code, stderr } = await runStratum(['reference', '--check']);
    expect(code, stderr).toBe(0);
  });

  test('has an example for each command, a description of each argument and option, and JSON', async () => {
    const commands = await documented();
    expect([...commands.keys()]).toEqual(
      expect.arrayContaining(['status', 'call', 'schedules add', 'control rate-limit', 'tasks show', 'up']),
    );
    for (const [name, help] of commands) {
      expect(help, name).toMatch(/^Examples?:\n {2}/m);
      expect(help, name).toContain(`stratum ${name.split(' ')[0]}`);
      if (!WITHOUT_JSON.has(name)) expect(help, name).toContain('--json ');
      const takes = /^(?:Arguments|Options):\n((?: {2}.*\n)+)/gm;
      for (const [, lines = ''] of help.matchAll(takes))
        for (const line of lines.split('\n').filter((each) => /^ {2}\S/.test(each)))
          expect(line, name).toMatch(/^ {2}\S.* {2,}\S/);
      expect(help, name).not.toMatch(/\ba (?!one|uni|use|ur)[aeiou]/i);
    }
  });
});

describe('help', () => {
  test('is found for a command however deep it lies', async () => {
    const { code, stdout } = await runStratum(['help', 'schedules', 'add']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: stratum schedules add');
    expect(stdout).toContain('Example:');
    expect((await runStratum(['help', 'schedules', 'bakfill'])).stderr).toContain('Did you mean "backfill"?');
    expect(await runStratum(['help', 'schedules', 'nope'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('stratum help schedules'),
    });
  });

  test('of a call knows the fields of the task', async () => {
    const { stdout } = await runStratum(['call', 'sync_campaign_data', '--help']);
    expect(stdout).toMatch(/Payload of sync_campaign_data:\n.*tenant_id.*required/);
    expect(stdout).toContain('"snapchat"');
  });

  test('survives a reader that closes the pipe', async () => {
    const ran = await runProgram('sh', ['-c', `'${process.execPath}' '${PROGRAM}' tasks list | head -n 1`]);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('tasks', () => {
  test('are listed and shown with their fields', async () => {
    const listed = JSON.parse((await runStratum(['tasks', 'list', '--queue', 'ml', '--json'])).stdout);
    expect(listed).toContainEqual(expect.objectContaining({ name: 'generate_forecast', queue: 'ml' }));
    const shown = await runStratum(['tasks', 'show', 'check_tenant_pipeline']);
    expect(shown.stdout).toMatch(/queues\[\]\.oldest_seconds +number +yes/);
    expect(shown.stdout).toContain('"healthy", "degraded", "critical"');
    const schemas = JSON.parse((await runStratum(['tasks', 'show', 'sync_campaign_data', '--json'])).stdout);
    expect(schemas).toMatchObject({ payload: { required: ['tenant_id', 'platform'] }, max_retries: 5 });
  });
});

describe('a failure', () => {
  const failing: [string, string[], string, RegExp][] = [
    ['a command line that cannot be read', ['queues', '--bogus'], 'usage', /unknown option '--bogus'/],
    ['an unknown command', ['nope'], 'usage', /unknown command 'nope'/],
    ['a misspelt command', ['statsu'], 'usage', /Did you mean status\?/],
    ['a misspelt choice', ['inspect', 'pin'], 'usage', /Did you mean "ping"\?/],
    ['a wrong value', ['schedules', 'run'], 'usage', /missing required argument 'entry'/],
    [
      'an option that belongs to another',
      ['call', 'sync_campaign_data', '{"tenant_id":1,"platform":"meta"}', '--quiet', '5s'],
      'failed',
      /--quiet needs --debounce <key>/,
    ],
    ['an unknown task', ['call', 'nope'], 'failed', /There is no task "nope"\. List the tasks/],
    [
      'a misspelt task',
      ['call', 'sync_campain_data'],
      'failed',
      /There is no task "sync_campain_data"\. Did you mean "sync_campaign_data"( or "\w+"){0,2}\?$/m,
    ],
    [
      'a payload with wrong fields',
      ['call', 'sync_campaign_data', '-f', 'tenant_id=one'],
      'invalid_payload',
      /tenant_id: .*platform: /,
    ],
    ['a server that is not there', ['queues'], 'connection_failed', /127\.0\.0\.1:1/],
    ['a limit that is none', ['control', 'rate-limit', 'sync_campaign_data', 'often'], 'usage', /10\/s/],
    [
      'a limit by key that is none',
      ['limits', 'set', 'sync_campaign_data', 'platform', '--concurrency', '0'],
      'usage',
      /1 to 500/,
    ],
    [
      'no change of a limit',
      ['limits', 'set', 'sync_campaign_data', 'platform'],
      'failed',
      /--concurrency, --rate/,
    ],
    [
      'a limit that no contract has',
      ['limits', 'reset', 'sync_campaign_data', 'platfrom'],
      'failed',
      /has no limit "platfrom"/,
    ],
    ['a task that cannot be limited', ['control', 'rate-limit', 'nope', '1/s'], 'failed', /There is no task/],
    ['a confirmation that nobody can give', ['purge', 'sync'], 'connection_failed', /127\.0\.0\.1:1/],
  ];

  test.each(failing)('of %s is reported on standard error', async (_, args, code, message) => {
    const home = await mkdtemp(join(tmpdir(), 'stratum-none-'));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const env = { STRATUM_HOME: home, NATS_URL: 'nats://127.0.0.1:1' };
    const [forPeople, forPrograms] = await Promise.all([
      runStratum(args, env),
      runStratum([...args, '--json'], env),
    ]);
    expect(forPeople).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(message) });
    expect(forPeople.stderr).not.toMatch(/^ +at /m);
    expect(forPrograms).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(forPrograms.stderr)).toEqual({
      error: { code, message: expect.stringMatching(message) },
    });
  });
});
