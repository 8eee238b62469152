/** Whatever the guides tell people to type is taken: every command of every shell block, read by a shell, parsed by the command. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { describeError } from './output.js';
import { stratumProgram } from './program.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Written from the commands themselves. */
const REFERENCE = 'docs/reference/cli.md';

/** Only `stratum` is known in this shell, and writes down its words. No program is found, nothing is read or written. */
const SHELL = `
record() { printf '%s\\0' "$@" >&3; printf '\\n' >&3; }
stratum() { record "$@"; }
npx() { [ "$1" = stratum ] && record "\${@:2}"; }
command_not_found_handle() { :; }
exec 3>&1 >&2
`;

/** The words of each `stratum` of a shell script. */
async function typed(script: string): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-test-'));
  // A placeholder such as <id> would be a redirection. Some ids are numbers.
  const lines = script.replaceAll(/<[a-z ]+>/g, '1');
  try {
    const { stdout } = await promisify(execFile)('/bin/bash', ['-c', `${SHELL}${lines}\nexit 0`], {
      cwd: folder,
      env: { PATH: folder, HOME: folder },
    });
    const commands = stdout.split('\0\n').filter((words) => words !== '');
    return commands.map((words) => words.split('\0'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function guides(): Promise<{ name: string; text: string }[]> {
  const documents = await readdir(join(ROOT, 'docs'), { recursive: true });
  const names = ['README.md', 'deploy/nats/README.md', ...documents.map((name) => `docs/${name}`)];
  const pages = names.filter(
    (name) => name.endsWith('.md') && name !== REFERENCE && !name.includes('node_modules'),
  );
  return Promise.all(pages.map(async (name) => ({ name, text: await readFile(join(ROOT, name), 'utf8') })));
}

/** Commands that parse their words and do nothing. */
function idle(command: Command): Command {
  if (command.commands.length === 0) command.action(() => undefined);
  for (const each of command.commands) idle(each);
  return command;
}

async function problemOf(words: readonly string[]): Promise<string | undefined> {
  try {
    await idle(stratumProgram(['--json'])).parseAsync(words, { from: 'user' });
    return undefined;
  } catch (error) {
    return `stratum ${words.join(' ')}: ${describeError(error, false)}`;
  }
}

test('every command of the guides is taken as it is printed', async () => {
  const commands: string[] = [];
  const problems: string[] = [];
  for (const { name, text } of await guides()) {
    for (const [, script = ''] of text.matchAll(/^```sh\n(.*?)^```/gms)) {
      for (const words of await typed(script)) {
        commands.push(words.slice(0, 2).join(' '));
        const problem = await problemOf(words);
        if (problem !== undefined) problems.push(`${name}: ${problem}`);
      }
    }
  }
  expect(problems).toEqual([]);
  expect(commands).toEqual(
    expect.arrayContaining(['call sync_campaign_data', 'workflow start', 'keys create']),
  );
  expect(commands.length).toBeGreaterThan(40);
});

test('a command that is not taken is noticed', async () => {
  const [words = []] = await typed(`npx stratum workflow start --wait '{"chain": [\n]}'`);
  expect(words).toEqual(['workflow', 'start', '--wait', '{"chain": [\n]}']);
  expect(await problemOf(words)).toMatch(/Give a duration/);
  expect(await problemOf(['schedules', 'add'])).toBeDefined();
  expect(await problemOf(['status', '--loud'])).toBeDefined();
});

test('the links of the guides lead to files that are there', async () => {
  const broken: string[] = [];
  for (const { name, text } of await guides()) {
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      if (!existsSync(join(ROOT, dirname(name), target))) broken.push(`${name}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
