/** Which schedulers run, and which of them leads. */
import { flatJson } from '../values/flat-json.js';
import type { ScheduleBucket } from './bucket.js';

export interface SchedulersView {
  leader: SchedulerLeader | null;
  members: { name: string; started_at: string }[];
}

/** The leader's clock is there only if it differs from the real time: what it showed at which real time, and its speed. */
export interface SchedulerLeader {
  name: string;
  since: string;
  clock_at?: string | undefined;
  clock_read_at?: string | undefined;
  clock_speed?: number | undefined;
}

export const leaderEntry = flatJson<SchedulerLeader>({
  name: 'string',
  since: 'string',
  clock_at: 'string?',
  clock_read_at: 'string?',
  clock_speed: 'number?',
});
const memberEntry = flatJson<SchedulersView['members'][number]>({ name: 'string', started_at: 'string' });

/**
 * The time by the leader's clock, milliseconds since 1970; the real time where none leads.
 * @param now the real time
 */
export async function scheduleNow(bucket: ScheduleBucket, now: number): Promise<number> {
  const leader = leaderEntry.read((await bucket.get('leader'))?.value);
  const { clock_at: at, clock_read_at: readAt, clock_speed: speed } = leader ?? {};
  if (at === undefined || readAt === undefined || speed === undefined) return now;
  const shown = Date.parse(at) + (now - Date.parse(readAt)) * speed;
  return Number.isFinite(shown) ? Math.min(now, shown) : now;
}

export async function readSchedulers(bucket: ScheduleBucket): Promise<SchedulersView> {
  const members: SchedulersView['members'] = [];
  for await (const { value } of bucket.list('member.*')) {
    const member = memberEntry.read(value);
    if (member !== undefined) members.push(member);
  }
  const leader = leaderEntry.read((await bucket.get('leader'))?.value) ?? null;
  return { leader, members: members.toSorted((a, b) => a.name.localeCompare(b.name)) };
}
