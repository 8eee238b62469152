/** For jobs that only enqueue others: ids that are derived from the tick, so that a repeated tick repeats nothing. */
import type { EnqueueOptions, TaskContext, TaskContract } from '@stratum/jobs';
import type { z } from 'zod';

/** Identifies this run of a scheduled job: its tick, or its own id when it was called by hand. */
export function slotOf(context: Pick<TaskContext, 'id' | 'scheduledBy'>): string {
  return context.scheduledBy === undefined ? context.id : String(context.scheduledBy.tick.getTime());
}

/** The time that a scheduled job is about: its tick, however late it runs. */
export function tickTime(
  context: Pick<TaskContext, 'scheduledBy'>,
  now: () => Date = () => new Date(),
): Date {
  return context.scheduledBy?.tick ?? now();
}

/** Options with which a child is about the same tick as its parent: a repeated or late one then sees the same time and writes the same rows. */
export function ofTick({
  scheduledBy,
}: Pick<TaskContext, 'scheduledBy'>): Pick<EnqueueOptions, 'scheduledBy'> {
  return scheduledBy === undefined ? {} : { scheduledBy };
}

const MAX_ID = 64;

/** `<name>-<slot>-<scope>`, cut to the 64 characters of a task id: a long slot keeps its end, where slots differ. */
export function derivedTaskId(name: string, slot: string, ...scope: readonly (string | number)[]): string {
  const suffix = scope.map((part) => `-${part}`).join('');
  return `${name}-${slot.slice(-(MAX_ID - name.length - 1 - suffix.length))}${suffix}`;
}

/** One task for each scope, about the same tick, with ids that come from the slot. Returns how many are new. */
export async function fanOut<Input extends z.ZodType>(
  context: Pick<TaskContext, 'id' | 'scheduledBy' | 'enqueueMany'>,
  contract: TaskContract<Input>,
  items: readonly { scope: string | number; payload: z.input<Input> }[],
): Promise<number> {
  const slot = slotOf(context);
  const enqueued = await context.enqueueMany(
    contract,
    items.map(({ scope, payload }) => ({
      payload,
      options: { id: derivedTaskId(contract.name, slot, scope), ...ofTick(context) },
    })),
  );
  return enqueued.filter(({ duplicate }) => !duplicate).length;
}
