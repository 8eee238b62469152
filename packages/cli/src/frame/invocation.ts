/** How the reader of a hint can type this command. */
import { basename } from 'node:path';

/** In the reference: works in a clone of the repository. */
export const DOCUMENTED_INVOCATION = 'npx stratum';

/** @param line the words after the command's name, for example `keys list` */
export function typed(line: string): string {
  return `${invocation()} ${line}`.trimEnd();
}

/** A link on the PATH has the command's own name; npx and scripts start the program by its file. */
export function invocation(): string {
  const isLinked = basename(process.argv[1] ?? '') === 'stratum' && process.env['npm_command'] !== 'exec';
  return isLinked ? 'stratum' : DOCUMENTED_INVOCATION;
}
