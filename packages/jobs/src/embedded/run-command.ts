/** Runs a program to its end. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Its standard output; rejects with the program's own words when it fails or takes longer than `timeoutMs`. */
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

/** Node's own message repeats the command line first; a failing program's reason is on standard error. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const words = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return words || error.message;
}
