/** Runs the `stratum` program once, with what it says to people and to programs told apart. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { programEnvironment } from '../harness/index.js';

export const PROGRAM = fileURLToPath(new URL('../../../packages/cli/bin/stratum.js', import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export async function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = '',
  cwd?: string,
): Promise<Ran> {
  const child = spawn(program, args, {
    cwd,
    env: programEnvironment(env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A program that fails early reads none of it.
  child.stdin.on('error', () => undefined).end(input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

/** @param input what stands on its standard input */
export function runStratum(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input?: string,
  cwd?: string,
): Promise<Ran> {
  return runProgram(process.execPath, [PROGRAM, ...args], env, input, cwd);
}

/** Whether a program is installed here. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await runProgram('sh', ['-c', `command -v ${program}`])).code === 0;
}
