/** A service of the stack as a child process that reports when it is ready. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { WriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export interface ChildServiceOptions {
  name: string;
  /** Where its `main` is, for example `@stratum/sync-worker/main`. */
  module: string;
  env: NodeJS.ProcessEnv;
  logFolder: string;
  /** It ended unexpectedly. */
  onExit: (reason: string) => void;
  /** It was asked to shut down by someone else, and has done so. */
  onShutdown: () => void;
}

export interface ChildService {
  readonly name: string;
  /** Its message of readiness. */
  readonly url: string | undefined;
  /** Asks it to stop; ends it after the grace time. Idempotent. */
  stop(graceMs: number): Promise<void>;
}

const READY_TIMEOUT_MS = 30_000;
const readySchema = z.object({ type: z.literal('ready'), url: z.string().optional() });
const logLineSchema = z.object({ level: z.number(), msg: z.string() });
const FATAL_LEVEL = 60;

/** Resolves once the service is ready. Rejects with its last fatal line when it is not. */
export async function startChildService(options: ChildServiceOptions): Promise<ChildService> {
  const { name, module, env, logFolder, onExit, onShutdown } = options;
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  const logPath = join(logFolder, `${name}.log`);
  const log = await openLog(logPath);
  // A process group of its own: Ctrl-C reaches the services in the stack's order. When the stack is killed, the closed channel ends them.
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(module))], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lastFatal = followLog(child, log);
  const ended = new AbortController();
  child.once('exit', (code, signal) => ended.abort(`${name} ended (${signal ?? `code ${code}`})`));
  child.once('error', (error) => ended.abort(`${name} could not be started: ${error.message}`));
  const reason = (): string => `${String(ended.signal.reason)}: ${lastFatal() ?? `see ${logPath}`}`;
  try {
    const [message]: unknown[] = await once(child, 'message', {
      signal: AbortSignal.any([ended.signal, AbortSignal.timeout(READY_TIMEOUT_MS)]),
    });
    const { url } = readySchema.parse(message);
    let stopping = false;
    child.once('exit', (code) => {
      if (stopping) return;
      if (code === 0) onShutdown();
      else onExit(reason());
    });
    return {
      name,
      url,
      stop: async (graceMs) => {
        stopping = true;
        await endChild(child, graceMs);
      },
    };
  } catch {
    await endChild(child, 0);
    throw new Error(
      ended.signal.aborted
        ? reason()
        : `${name} was not ready within ${READY_TIMEOUT_MS / 1000} s: see ${logPath}`,
    );
  }
}

/** Only the owner reads it, also where an earlier version left it open to all. */
async function openLog(path: string): Promise<WriteStream> {
  const file = await open(path, 'a', 0o600);
  await file.chmod(0o600);
  return file.createWriteStream();
}

async function endChild(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(force);
}

/** Everything goes to the file; the last fatal line is kept for the screen. */
function followLog(child: ChildProcess, log: WriteStream): () => string | undefined {
  let fatal: string | undefined;
  child.stdout?.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString('utf8').split('\n')) fatal = fatalMessage(line) ?? fatal;
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.once('close', () => log.end());
  return () => fatal;
}

function fatalMessage(line: string): string | undefined {
  try {
    const entry = logLineSchema.parse(JSON.parse(line));
    return entry.level >= FATAL_LEVEL ? entry.msg : undefined;
  } catch {
    return undefined;
  }
}
