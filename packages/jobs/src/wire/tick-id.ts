/** The id of a tick's task. It depends on the entry and the tick alone, so publishing a tick twice makes one task. */
import { createHash } from 'node:crypto';
import type { ScheduledBy } from './headers.js';

const PREFIX = 'beat-';
const MAX_ID = 64;
const HASH_LENGTH = 10;

/** `beat-<entry>-<tick>`. Where that is longer than an id may be, the end of the entry's name gives way to a hash of the name. */
export function tickTaskId({ entry, tick }: ScheduledBy): string {
  const time = tick
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replaceAll(/[-:.]/g, '');
  const room = MAX_ID - PREFIX.length - 1 - time.length;
  return `${PREFIX}${entry.length <= room ? entry : shortened(entry, room)}-${time}`;
}

/** Whether this is a tick's own task, and not a child that carries the tick. */
export function isTickTask(id: string, scheduledBy: ScheduledBy | undefined): boolean {
  return scheduledBy !== undefined && id.startsWith(PREFIX) && id === tickTaskId(scheduledBy);
}

function shortened(entry: string, room: number): string {
  const hash = createHash('sha256').update(entry).digest('hex').slice(0, HASH_LENGTH);
  return `${entry.slice(0, room - HASH_LENGTH - 1)}-${hash}`;
}
