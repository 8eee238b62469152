/** Input that is too long, or too secret, for a command line: from a file or from standard input. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

/** @param source a path, or - for standard input */
export async function readInput(source: string, what: string): Promise<string> {
  if (source !== '-') return readFile(source, 'utf8');
  if (process.stdin.isTTY) throw new Error(`Give ${what} on standard input, or name a file.`);
  return text(process.stdin);
}

/** The same, as JSON. */
export async function readJson(source: string, what: string): Promise<unknown> {
  const input = await readInput(source, what);
  try {
    return JSON.parse(input);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${what} must be JSON: ${reason}`, { cause });
  }
}
