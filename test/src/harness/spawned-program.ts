/** A real program of the repository as a child process: for tests that kill it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { waitFor } from './wait-for.js';

export interface SpawnedProgram {
  readonly pid: number;
  /** Everything it has printed. */
  output(): string;
  /** Resolves once it has told that it is ready. */
  ready(): Promise<void>;
  /** Sends the signal and waits for the end; resolves with the exit code, `null` when the signal ended it. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  /** Resolves with the exit code, once all its output has been read. */
  exited(): Promise<number | null>;
  hasEnded(): boolean;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What a program takes over from the test run; a time zone or clock (libfaketime) that the run is under applies to all of it. */
const INHERITED = /^(?:PATH|HOME|TZ|LD_PRELOAD|FAKETIME.*)$/;

/** The environment of a program: the run's own settings of the machine, and nothing else that happens to be set. */
export function programEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name));
  return { ...Object.fromEntries(inherited), ...env };
}

/** Ended with the test. @param path from the repository's root, for example `services/sync-worker/dist/main.js` */
export function spawnProgram(
  path: string,
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
): SpawnedProgram {
  const program = startProgram(path, env, args);
  onTestFinished(async () => {
    await program.kill('SIGKILL');
  });
  return program;
}

/** Ended by the caller. */
export function startProgram(
  path: string,
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
): SpawnedProgram {
  const child = spawn(process.execPath, [`${ROOT}/${path}`, ...args], {
    cwd: ROOT,
    env: programEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const closed = once(child, 'close');
  let output = '';
  let ready = false;
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.on('message', () => (ready = true));
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const exited = async (): Promise<number | null> => {
    await closed;
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    output: () => output,
    exited,
    hasEnded: ended,
    ready: async () => {
      await waitFor(`${path} to be ready`, () => {
        if (ended()) throw new Error(`${path} ended: ${output}`);
        return ready;
      });
    },
    kill: async (signal) => {
      child.kill(signal);
      return exited();
    },
  };
}
