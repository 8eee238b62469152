/** A reason why a task is not running, as answers name it. */
import { z } from 'zod';

const WHY_CODES = [
  'ended',
  'running',
  'worker_lost',
  'workers_blocked',
  'delayed',
  'back_off',
  'held_by_worker',
  'queue_paused',
  'no_worker',
  'workers_unreachable',
  'no_worker_for_task',
  'circuit_open',
  'key_limited',
  'waits_for_event',
  'waits_for_task',
  'rate_limited',
  'all_slots_busy',
  'lower_lane',
  'behind',
  'undetermined',
] as const;
export type WhyCode = (typeof WHY_CODES)[number];

export const finding = z
  .object({
    code: z.enum(WHY_CODES),
    text: z.string().describe('One sentence.'),
    remedy: z.string().nullable().describe('What helps; `null` for viewers of a tenant.'),
    eta: z.string().nullable().describe('When it is expected to be over; `null`: not known.'),
  })
  .meta({ id: 'Finding' });
export type Finding = z.output<typeof finding>;
