/** What the system says of processes, for measurements. */
import { readFile } from 'node:fs/promises';

/** Of Linux on every platform that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Of a process and those of its children that have ended, in seconds. `null` where the system does not tell. */
export async function processorSeconds(pids: readonly number[]): Promise<number | null> {
  let ticks = 0;
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // Behind the name, which may hold spaces: utime, stime, cutime and cstime are the fields 14 to 17.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (fields.length < 15) return null;
    ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  }
  return ticks / TICKS_PER_SECOND;
}

export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim().split(' ').filter(Boolean).map(Number);
}
