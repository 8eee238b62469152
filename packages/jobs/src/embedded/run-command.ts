/** Runs a program to completion. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Returns its standard output. Rejects with the program's own message if it fails or exceeds `timeoutMs`. */
export async function runCommand(
  program: string,
  args: readonly string[],
  timeoutMs: number,
  cwd?: string,
): Promise<string> {
  try {
    const { stdout } = await run(program, [...args], {
      timeout: timeoutMs,
      maxBuffer: 16 * 1024 * 1024,
      ...(cwd === undefined ? {} : { cwd }),
    });
    return stdout;
  } catch (cause) {
    throw new Error(wordsOf(cause), { cause });
  }
}

/** Node's message begins with the command line; the program's reason is on standard error. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const words = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return words || error.message;
}
