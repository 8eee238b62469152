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
  const { stdout } = await run(program, [...args], {
    timeout: timeoutMs,
    maxBuffer: 16 * 1024 * 1024,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return stdout;
}
