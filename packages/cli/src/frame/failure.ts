/** How a command reports a failure. */
import { describeError } from '../output.js';
import { typed } from './invocation.js';

export interface FailureOptions {
  verbose: boolean;
  /** One JSON document instead of a sentence. */
  json: boolean;
}

/** Advice for a server that cannot be reached, by the code of the error. */
const ADVICE: Readonly<Record<string, string>> = {
  connection_failed: 'set NATS_URL to a server that runs',
  database_unreachable: 'set DATABASE_URL to a server that runs',
};

/** Prints an error on standard error and returns the exit code. Help and version are no errors. */
export function reportFailure(error: unknown, { verbose, json }: FailureOptions): number {
  const code = codeOf(error);
  const isUsage = code.startsWith(USAGE);
  if (isUsage && isHarmless(error)) return 0;
  const asksForCommand = code === `${USAGE}help`;
  // The help of the family of commands is printed already.
  if (asksForCommand && !json) return 1;
  const message = asksForCommand
    ? 'Name one of its commands; --help lists them.'
    : describeError(error, verbose && !json).replace(/^error: /, '');
  const advice = ADVICE[code];
  const full =
    advice === undefined ? message : `${message} Start the local stack with: ${typed('up')}; or ${advice}.`;
  if (json) console.error(JSON.stringify({ error: { code: isUsage ? 'usage' : code, message: full } }));
  else console.error(`${full}${isUsage ? '\nSee --help.' : ''}`);
  return 1;
}

/** Codes of the errors that commander throws begin with it. Another copy of the library may throw them. */
const USAGE = 'commander.';

/** Help or version was asked for. */
function isHarmless(error: unknown): boolean {
  return error instanceof Error && 'exitCode' in error && error.exitCode === 0;
}

/** Stable where the error has a code of its own. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'failed';
}
