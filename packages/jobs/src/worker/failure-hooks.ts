/** Calls the hooks of handlers whose tasks have failed for good. */
import { JobsError } from '../errors.js';
import { containWithin } from '../values/contain.js';
import { readJsonText } from '../values/read-json.js';
import type { DeadReason } from '../wire/dead-reason.js';
import type { Attempt } from './attempt.js';
import { AttemptContext, type Producer } from './context.js';
import type { TaskHandler } from './registry.js';

/** Well inside the grace time of a worker that stops. */
const WITHIN_MS = 10_000;

/** The type of the context does not offer them. */
function noSteps(): never {
  throw new JobsError('closed', 'The task has ended; it has no further steps.');
}

export class FailureHooks {
  constructor(
    private readonly registry: ReadonlyMap<string, TaskHandler>,
    private readonly producer: Producer,
  ) {}

  /** Never rejects. */
  async run(attempt: Attempt, reason: DeadReason, error: unknown): Promise<void> {
    const { subject, message } = attempt.delivery;
    const onFailure = this.registry.get(subject.task)?.onFailure;
    if (onFailure === undefined) return;
    const context = new AttemptContext(attempt, this.producer, () => undefined, noSteps);
    await containWithin(
      () => onFailure({ error, reason, payload: readJsonText(message.data), context }),
      WITHIN_MS,
      (failure) => attempt.logger.error({ err: failure }, 'the hook onFailure of a task has failed'),
    );
  }
}
