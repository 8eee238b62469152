/** How a command says that it has failed. */
import { CommanderError } from 'commander';
import { describeError } from '../output.js';

export interface FailureOptions {
  verbose: boolean;
  /** One JSON document instead of a sentence. */
  json: boolean;
}

/** Tells an error on standard error, and returns the exit code. Help and version are no errors. */
export function tellFailure(error: unknown, { verbose, json }: FailureOptions): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  // What is missing is shown already: the help of a group of commands.
  if (error instanceof CommanderError && error.code === 'commander.help' && !json) return 1;
  const message = messageOf(error, verbose && !json);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: { code: codeOf(error), message } })}\n`);
    return 1;
  }
  const advice = error instanceof CommanderError ? '\n(run with --help for what there is)' : '';
  process.stderr.write(`${message}${advice}\n`);
  return 1;
}

function messageOf(error: unknown, verbose: boolean): string {
  if (error instanceof CommanderError && error.code === 'commander.help')
    return 'Say which of its commands; --help lists them.';
  return describeError(error, verbose).replace(/^error: /, '');
}

/** Stable where the error has a code of its own. */
function codeOf(error: unknown): string {
  if (error instanceof CommanderError) return 'usage';
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'failed';
}
