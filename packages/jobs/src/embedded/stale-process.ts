/** Terminates a server that a killed run left behind. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './run-command.js';

const POLL_MS = 20;
const PS_TIMEOUT_MS = 5_000;

/**
 * Terminates the process with this id if `isOurs` accepts its command line, because another program may have the id by now. Sends the
 * signal first, and SIGKILL after the grace time. Resolves when the process is gone.
 */
export async function endStaleProcess(
  pid: number,
  isOurs: (commandLine: string) => boolean,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  const runs = async (): Promise<boolean> => isOurs(await commandLineOf(pid));
  if (!(await runs())) return;
  process.kill(pid, signal);
  let deadline = Date.now() + graceMs;
  while (await runs()) {
    if (Date.now() > deadline) {
      process.kill(pid, 'SIGKILL');
      deadline = Infinity;
    }
    await delay(POLL_MS);
  }
}

/** Program and arguments of a running process; empty if no process has this id. */
export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  }
  return runCommand('ps', ['-p', String(pid), '-o', 'command='], PS_TIMEOUT_MS).catch(() => '');
}
