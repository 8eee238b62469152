/** Ends a server that a killed run left behind. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './run-command.js';

const POLL_MS = 20;
const PS_TIMEOUT_MS = 5_000;

/**
 * Ends the process of that number when `isOurs` says so of its command line (the number may belong to another program by now), first
 * by the signal, after the grace time by SIGKILL. Resolves when it is gone.
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

/** Program and arguments of a running process; empty when there is none of that number. */
export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  }
  return runCommand('ps', ['-p', String(pid), '-o', 'command='], PS_TIMEOUT_MS).catch(() => '');
}
