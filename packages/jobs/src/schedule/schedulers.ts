/** Which schedulers run, and which of them leads. */
import { flatJson } from '../values/flat-json.js';
import type { ScheduleBucket } from './bucket.js';

export interface SchedulersView {
  leader: { name: string; since: string } | null;
  members: { name: string; started_at: string }[];
}

const leaderEntry = flatJson<NonNullable<SchedulersView['leader']>>({ name: 'string', since: 'string' });
const memberEntry = flatJson<SchedulersView['members'][number]>({ name: 'string', started_at: 'string' });

export async function readSchedulers(bucket: ScheduleBucket): Promise<SchedulersView> {
  const members: SchedulersView['members'] = [];
  for await (const { value } of bucket.list('member.*')) {
    const member = memberEntry.read(value);
    if (member !== undefined) members.push(member);
  }
  const leader = leaderEntry.read((await bucket.get('leader'))?.value) ?? null;
  return { leader, members: members.toSorted((a, b) => a.name.localeCompare(b.name)) };
}
