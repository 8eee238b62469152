/** Which schedulers run, and which of them leads. */
import { z } from 'zod';
import type { ScheduleBucket } from './bucket.js';

const leaderSchema = z.object({ name: z.string(), since: z.string() });
const memberSchema = z.object({ name: z.string(), started_at: z.string() });

export interface SchedulersView {
  leader: z.output<typeof leaderSchema> | null;
  members: z.output<typeof memberSchema>[];
}

export async function readSchedulers(bucket: ScheduleBucket): Promise<SchedulersView> {
  const members: SchedulersView['members'] = [];
  for await (const { value } of bucket.list('member.*')) {
    const member = memberSchema.safeParse(value).data;
    if (member !== undefined) members.push(member);
  }
  const leader = leaderSchema.safeParse((await bucket.get('leader'))?.value).data ?? null;
  return { leader, members: members.toSorted((a, b) => a.name.localeCompare(b.name)) };
}
