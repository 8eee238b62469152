/** The Tab key, in the shells that are installed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isInstalled, runProgram, runStratum } from './stratum.js';

const SHELLS = {
  bash: await isInstalled('bash'),
  zsh: await isInstalled('zsh'),
  fish: await isInstalled('fish'),
};

async function scriptFor(shell: keyof typeof SHELLS): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-shell-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stdout } = await runStratum(['completion', shell]);
  expect(code).toBe(0);
  const path = join(folder, `completion.${shell}`);
  await writeFile(path, stdout);
  return path;
}

/** What bash would offer, with the words as it cuts them. */
async function inBash(script: string, words: readonly string[]): Promise<string[]> {
  const ask = `source "$1"; shift; COMP_WORDS=(stratum "$@"); COMP_CWORD=$#; _stratum; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await runProgram('bash', ['--norc', '-c', ask, 'bash', script, ...words]);
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe.runIf(SHELLS.bash)('in bash', () => {
  test('commands, options, names and values are completed', async () => {
    const script = await scriptFor('bash');
    const cases: [string[], string[]][] = [
      [['que'], ['queues']],
      [['call', 'sync_campaign_data', '-f', 'ten'], ['tenant_id=']],
      // Bash cuts at the equals sign, and puts in what stands behind it.
      [['call', 'sync_campaign_data', '-f', 'platform', '=', 't'], ['tiktok']],
      [['dead', 'list', '--queue', '=', 'sy'], ['sync']],
      [['help', 'schedules', 'ba'], ['backfill']],
    ];
    for (const [words, expected] of cases)
      expect(await inBash(script, words), words.join(' ')).toEqual(expected);
    const all = await inBash(script, ['']);
    expect(all).toEqual(expect.arrayContaining(['status', 'call', 'schedules', 'completion']));
    expect(all).not.toContain('complete');
  });

  test('nothing on the line is evaluated', async () => {
    const script = await scriptFor('bash');
    const words = [
      'call',
      'sync_campaign_data',
      '{"a": "$(touch /tmp/never)"}',
      '$(exit 1)',
      "it's",
      '--del',
    ];
    expect(await inBash(script, words)).toEqual(['--delay']);
  });
});

describe.runIf(SHELLS.fish)('in fish', () => {
  test('commands, options, names and values are completed', async () => {
    const script = await scriptFor('fish');
    const offered = async (line: string): Promise<string> =>
      (await runProgram('fish', ['-N', '-c', `source $argv[1]; complete -C $argv[2]`, script, line])).stdout;
    expect(await offered('stratum que')).toBe('queues\tShow how much each queue holds.\n');
    expect(await offered('stratum call sync_c')).toMatch(/^sync_campaign_data\t/);
    expect(await offered('stratum queues --js')).toContain('--json');
  });
});

describe.runIf(SHELLS.zsh)('in zsh', () => {
  test('the Tab key completes a line', async () => {
    const script = await scriptFor('zsh');
    const session = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell "PROMPT=; autoload -U compinit; compinit -u -D; source $1; print rea''dy"
      zpty -r -m shell ignored '*ready*'
      zpty -w -n shell "stratum call sync_c"$'\\t'
      zpty -r -m shell line '*ampaign_data*' && print -r -- done`;
    const { stdout } = await runProgram('zsh', ['-f', '-c', session, 'zsh', script], { TERM: 'dumb' });
    expect(stdout).toContain('done');
  });
});

test('a shell that is not known is refused with those that are', async () => {
  const { code, stderr } = await runStratum(['completion', 'tcsh']);
  expect(code).toBe(1);
  expect(stderr).toContain('bash, zsh, fish');
});
