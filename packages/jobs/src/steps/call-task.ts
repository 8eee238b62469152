/** The call of a task from a run: stored once, under an id that follows from the run and the place of the step. */
import { createHash } from 'node:crypto';
import { StepError, TaskFailedError } from '../errors.js';
import type { AwaitedBy } from '../wire/headers.js';
import type { TaskRecord } from '../wire/record.js';
import type { StepEntry } from './entry.js';
import { requireKept, type WaitingStep } from './waiting-step.js';
import { finalOrNone } from './waits.js';

/** Stores the task that is called. @param called its id, and by whom */
export type Calling = (called: {
  id: string;
  awaitedBy: AwaitedBy & { calledAt: string };
}) => Promise<unknown>;

/** When nothing was heard of it for so long, the run looks after it. In milliseconds. */
const LOOK_AFTER_MS = 6 * 3_600_000;

/** Resolves with its result. @throws TaskFailedError */
export async function callTask(
  step: WaitingStep,
  { name, queue }: { name: string; queue: string },
  enqueue: Calling,
): Promise<unknown> {
  const { memory, waits, now, subject, position, suspend } = step;
  const { entry, isNew } = await memory.begin(position, 'task', name, () => ({
    called: { id: idOfCalled(step), task: name, queue },
  }));
  requireKept(entry);
  if (entry.state === 'done') return resultOf(entry);
  const { called, started_at: calledAt } = entry;
  if (called === undefined)
    throw new StepError('invalid_options', `The call of "${name}" is remembered without its task.`);
  const endOf = async (): Promise<TaskRecord | undefined> => {
    const end = await waits.endOf(position);
    // A former life of the run may have left one.
    return end?.id === called.id ? end : undefined;
  };
  let end = isNew ? undefined : await endOf();
  const seen = isNew || end !== undefined ? undefined : await waits.statusOf(called);
  end ??= finalOrNone(seen);
  if (end === undefined) {
    if (seen === undefined) await enqueue({ id: called.id, awaitedBy: { subject, position, calledAt } });
    return suspend({
      until: now() + LOOK_AFTER_MS,
      facts: { kind: 'task', name, id: called.id, until: null },
      hasArrived: async () => (await endOf()) !== undefined,
    });
  }
  const ended = end.state === 'SUCCESS' ? { result: end.result } : { failure: end };
  const done = await memory.end(position, entry, ended);
  await waits.forget(position);
  return resultOf(done);
}

/** The same in each attempt of this life of the run. */
function idOfCalled({ run, writer, position }: WaitingStep): string {
  const place = [run.tenant ?? '', run.task, run.id, writer.enqueued_at, position].join('/');
  return `call-${createHash('sha256').update(place).digest('base64url')}`;
}

/** @throws TaskFailedError, which fails the run at once unless its handler catches it: the end of a task does not change */
function resultOf({ failure, result }: StepEntry): unknown {
  if (failure === undefined) return result;
  throw Object.assign(new TaskFailedError(failure), { retryable: false });
}
