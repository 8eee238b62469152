/** The most memory a process has had at once. */
import { readFile } from 'node:fs/promises';

const KIB_PER_MIB = 1024;

/** In MiB; `null` where the system keeps no such figure. */
export async function readPeakMemory(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / KIB_PER_MIB);
}
