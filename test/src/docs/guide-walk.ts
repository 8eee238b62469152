/** Walks through a guide that begins in an empty folder: saves its files, runs its commands, compares what they print. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { programEnvironment, waitFor } from '../harness/index.js';

/** An install without a cache downloads some forty packages. */
const STEP_TIMEOUT_MS = 300_000;

interface Block {
  /** Of the line above its fence, without the arrows of a comment. */
  readonly directive: string | undefined;
  readonly language: string;
  readonly code: string;
}

interface Terminal {
  readonly output: () => string;
  /** Resolves when its program has ended well. */
  readonly ended: () => Promise<void>;
  readonly signal: (name: NodeJS.Signals) => void;
}

/**
 * Runs every block of a page, in order, as written:
 *
 * - a block whose first line is a comment with a file's name is saved under it, and so is a JSON block, as tsconfig.json;
 * - a shell block runs to its end, or keeps running under the name in `<!-- terminal: name -->` above it;
 * - a text block holds the whole output of the shell block before it, or lines that a terminal prints sooner or later, where
 *   `<!-- output: name -->` is above it. `…` is any text.
 */
export async function walk(page: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const terminals = new Map<string, Terminal>();
  let printed = '';
  try {
    for (const { directive, language, code } of blocksOf(page)) {
      const [, kind, name = ''] = /^(terminal|output): (\w+)$/.exec(directive ?? '') ?? [];
      if (language === 'sh' && kind === 'terminal') terminals.set(name, open(code, folder, env));
      else if (language === 'sh') printed = await runToEnd(code, folder, env);
      else if (language === 'text' && kind === 'output') await shows(terminals.get(name), code);
      else if (language === 'text') expect(printed).toMatch(pattern(code));
      else await writeFile(join(folder, fileOf(language, code)), code);
    }
    for (const terminal of terminals.values()) terminal.signal('SIGINT');
    await Promise.all([...terminals.values()].map((terminal) => terminal.ended()));
  } finally {
    for (const terminal of terminals.values()) terminal.signal('SIGKILL');
  }
}

function blocksOf(page: string): Block[] {
  const fences = page.matchAll(
    /^(?:<!-- (?<directive>[^\n]*) -->\n\n)?```(?<language>[a-z]+)\n(?<code>.*?)^```$/gms,
  );
  return [...fences].map(({ groups }) => {
    const { directive, language = '', code = '' } = groups ?? {};
    return { directive, language, code };
  });
}

function fileOf(language: string, code: string): string {
  if (language === 'json') return 'tsconfig.json';
  const [, file] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? [];
  if (file === undefined) throw new Error(`This block names no file in its first line:\n${code}`);
  return file;
}

/** The whole text, with any text in place of `…`. */
function pattern(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('[^\\n]*')}$`);
}

/** A shell with its own process group, as a terminal has it. */
function open(script: string, folder: string, env: NodeJS.ProcessEnv): Terminal {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: programEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = once(shell, 'close');
  let output = '';
  let errors = '';
  shell.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  shell.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const ended = async (): Promise<void> => {
    await closed;
    // Ctrl+C ends npx, though its program has ended well.
    if (shell.exitCode !== 0 && shell.signalCode !== 'SIGINT')
      throw new Error(`${script}ended with ${shell.exitCode ?? shell.signalCode}:\n${output}${errors}`);
  };
  const signal = (name: NodeJS.Signals): void => {
    if (shell.pid !== undefined && shell.exitCode === null && shell.signalCode === null)
      process.kill(-shell.pid, name);
  };
  return { output: () => output, ended, signal };
}

async function runToEnd(script: string, folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const shell = open(script, folder, env);
  const timer = setTimeout(() => shell.signal('SIGKILL'), STEP_TIMEOUT_MS);
  await shell.ended().finally(() => clearTimeout(timer));
  return shell.output();
}

async function shows(terminal: Terminal | undefined, lines: string): Promise<void> {
  if (terminal === undefined) throw new Error('The page names a terminal that it has not opened.');
  for (const line of lines.trim().split('\n')) {
    const wanted = pattern(line);
    const isShown = (): boolean =>
      terminal
        .output()
        .split('\n')
        .some((shown) => wanted.test(shown));
    await waitFor(`"${line}" in a terminal`, isShown, STEP_TIMEOUT_MS);
  }
}
