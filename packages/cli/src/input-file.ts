/** Input that is too long, or too secret, for a command line: from a file or from standard input. */
import { JsonError, parseBoundedJson } from '@stratum/jobs/bounds';
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
  return parseInput(await readInput(source, what), what);
}

/** A JSON text that somebody gives. @throws Error that names the field, never its value */
export function parseInput(json: string, what: string): unknown {
  try {
    return parseBoundedJson(json);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new Error([what, ...cause.path].join('.') + ` ${cause.message}`, { cause });
  }
}
