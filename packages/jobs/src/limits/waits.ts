/** Who runs and waits under limits by key, for people. */
import { eachLimited } from '../broker/each-limited.js';
import type { StoredMessage } from '../broker/batch.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { isToken, type Names } from '../wire/names.js';
import { gatesIn, liveHolders } from './gate.js';

/** A key under whose limit tasks run or wait. */
export interface KeyWait {
  /** As the header `Task-Key-Wait` of those who wait says. */
  gate: string;
  task: string;
  /** Name of the limit. */
  name: string;
  /** One line, cut to 100 characters. */
  key: string;
  /** Tasks of the key at once, as the last one was let in. */
  concurrency: number;
  running: number;
  /** Tasks that left the line within the last second may be among them. */
  waiting: number;
}

/** Those that run or wait, of the gates in these messages. @param now the broker's time, in milliseconds since 1970 */
export async function keyWaitsIn(
  messages: readonly StoredMessage[],
  streams: StreamAccess,
  names: Names,
  now: () => number,
): Promise<KeyWait[]> {
  const views: KeyWait[] = [];
  await eachLimited(gatesIn(messages, names), async ({ id, entry }) => {
    const [task, name] = id.split('.');
    if (!isToken(task) || !isToken(name)) return;
    const { key, concurrency, refused_at: refusedAt } = entry;
    const running = liveHolders(entry, now()).length;
    const waiting = refusedAt > 0 ? await streams.count(names.lockStream, names.gateWaitKey(id, '*.*')) : 0;
    if (running + waiting > 0) views.push({ gate: id, task, name, key, concurrency, running, waiting });
  });
  return views.toSorted((a, b) => b.waiting - a.waiting);
}

/** The lines before one limit by key, over all its keys. */
export interface KeyLine {
  task: string;
  /** Name of the limit. */
  limit: string;
  /** Keys whose tasks wait. */
  keys: number;
  /** Tasks that wait, of all keys. Some of them may have left the line within the last second. */
  waiting: number;
}

/** The limits before which tasks wait: one question for each limit, however many keys it has. */
export async function keyLinesIn(
  messages: readonly StoredMessage[],
  streams: StreamAccess,
  names: Names,
): Promise<KeyLine[]> {
  const lines = new Map<string, Omit<KeyLine, 'waiting'>>();
  for (const { id, entry } of gatesIn(messages, names)) {
    const [task, limit] = id.split('.');
    if (!isToken(task) || !isToken(limit) || entry.refused_at === 0) continue;
    const line = `${task}.${limit}`;
    lines.set(line, { task, limit, keys: (lines.get(line)?.keys ?? 0) + 1 });
  }
  const counted: KeyLine[] = [];
  await eachLimited([...lines], async ([line, facts]) => {
    const waiting = await streams.count(names.lockStream, names.gateWaitKey(`${line}.*`, '*.*'));
    if (waiting > 0) counted.push({ ...facts, waiting });
  });
  return counted.toSorted((a, b) => b.waiting - a.waiting);
}
