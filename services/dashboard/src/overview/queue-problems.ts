/** Queues that do not move, and why. */
import type { Facts, Problem, QueueFacts } from './facts.js';
import { count, duration } from './words.js';

const MAX_WAIT_MS = 300_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
/** A tenant that holds all slots in one sample alone has just been lucky. */
const SOLE_HOLDER_MS = 3_000;

export function queueProblems(facts: Facts): Problem[] {
  return [...facts.queues.flatMap((queue) => queueProblem(queue, facts)), ...soleHolderProblems(facts)];
}

/** The first cause: what follows from it is not reported beside it. */
function queueProblem(queue: QueueFacts, facts: Facts): Problem[] {
  const backlog = queue.high + queue.normal + queue.low;
  if (backlog === 0) return [];
  const link = `queues/${queue.queue}`;
  const evidence = `${count(backlog, 'task')} waiting${oldestText(queue, facts)}.`;
  if (queue.paused)
    return [
      {
        code: 'paused_with_backlog',
        title: `The queue ${queue.queue} is paused while tasks wait in it.`,
        evidence,
        remedy: 'Resume it when the reason for the pause is gone.',
        link,
        resume: queue.queue,
      },
    ];
  if (queue.slots === 0)
    return [
      {
        code: 'no_worker',
        title: `No worker serves the queue ${queue.queue}.`,
        evidence,
        remedy: `Start one: stratum worker -Q ${queue.queue}`,
        link,
      },
    ];
  const oldestMs = oldestAgeMs(queue, facts);
  if (queue.out_per_s === 0 && oldestMs > MINUTE_MS)
    return [
      {
        code: 'not_moving',
        title: `Nothing of the queue ${queue.queue} has finished for a minute.`,
        evidence: `${evidence} ${queue.slots_used} of ${queue.slots} slots are used.`,
        remedy: 'See which tasks hold the slots, and for how long.',
        link,
      },
    ];
  if (oldestMs > MAX_WAIT_MS)
    return [
      {
        code: 'waiting_too_long',
        title: `Tasks of the queue ${queue.queue} wait for more than ${duration(MAX_WAIT_MS)}.`,
        evidence: `${evidence} ${queue.slots_used} of ${queue.slots} slots are used.`,
        remedy: 'Raise the concurrency of its workers, or start another worker.',
        link,
      },
    ];
  return [];
}

function oldestAgeMs({ oldest_at: at }: QueueFacts, { now }: Facts): number {
  return at === null ? 0 : now.getTime() - Date.parse(at);
}

function oldestText(queue: QueueFacts, facts: Facts): string {
  const ageMs = oldestAgeMs(queue, facts);
  return ageMs < SECOND_MS ? '' : `, the oldest for ${duration(ageMs)}`;
}

function soleHolderProblems({ signals, now }: Facts): Problem[] {
  return signals.sole_holders
    .map((holder) => ({ ...holder, forMs: now.getTime() - Date.parse(holder.since) }))
    .filter(({ forMs }) => forMs > SOLE_HOLDER_MS)
    .map(({ queue, tenant_id: tenant, slots, others, forMs }) => ({
      code: 'slots_of_one_tenant',
      title: `The tenant ${tenant} holds all slots of the queue ${queue} while others wait.`,
      evidence: `${count(slots, 'slot')} for ${duration(forMs)}; ${count(others, 'task')} of other tenants ${others === 1 ? 'waits' : 'wait'}.`,
      remedy: 'Raise the concurrency of its workers, or revoke what the tenant does not need.',
      link: `tenants/${tenant}`,
    }));
}
