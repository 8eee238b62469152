/** Runs one attempt and returns how it ended. Nothing here acknowledges or stores: that is `settle`. */
import type { Logger } from 'pino';
import type { JobsClient } from '../client/client.js';
import type { TaskLookup } from '../client/lookup.js';
import {
  JobsError,
  RetryRequestedError,
  SoftTimeLimitExceeded,
  TimeLimitExceeded,
  WorkerShutdownError,
} from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import { backoffDelayMs, isRetryable, retryAdvice } from '../task/retry-policy.js';
import { isFinal, type TaskProgress } from '../wire/record.js';
import { createContext, type TaskContext } from './context.js';
import type { Delivery } from './delivery.js';
import type { Outcome } from './outcome.js';
import type { TaskHandler } from './registry.js';

export interface ExecutionParts {
  delivery: Delivery;
  registry: ReadonlyMap<string, TaskHandler>;
  lookup: TaskLookup;
  producer: Pick<JobsClient, 'enqueue' | 'enqueueMany'>;
  logger: Logger;
  /** The handler is about to run. */
  onStart: () => void;
  onProgress: (progress: TaskProgress) => void;
}

export class Execution {
  private readonly controller = new AbortController();
  private endEarly: ((outcome: Outcome) => void) | undefined;

  constructor(private readonly parts: ExecutionParts) {}

  /** Never rejects: every failure is an outcome. */
  async run(): Promise<Outcome> {
    const { delivery, registry } = this.parts;
    const { headers, subject } = delivery;
    const handler = registry.get(subject.task);
    if (handler === undefined || handler.contract.queue !== subject.queue) {
      const error = new JobsError(
        'unknown_task',
        `No handler for task "${subject.task}" in queue "${subject.queue}".`,
      );
      return { kind: 'dead', reason: 'unknown_task', error };
    }
    if (headers.expires !== undefined && headers.expires.getTime() <= Date.now()) return { kind: 'expired' };
    if (delivery.deliveries > 1 && (await this.endedEarlier())) return { kind: 'already_settled' };
    let attempt: (context: TaskContext) => Promise<unknown>;
    try {
      attempt = handler.prepare(parseJson(delivery));
    } catch (error) {
      return { kind: 'dead', reason: 'invalid_payload', error };
    }
    this.parts.onStart();
    return this.runHandler(handler.contract, attempt);
  }

  /** The worker gives this attempt up; another one will run the task again. */
  handBack(): void {
    this.controller.abort(new WorkerShutdownError());
    this.endEarly?.({ kind: 'handed_back' });
  }

  private runHandler(
    contract: TaskContract,
    attempt: (context: TaskContext) => Promise<unknown>,
  ): Promise<Outcome> {
    const { headers } = this.parts.delivery;
    const timeLimitMs = headers.timeLimitMs ?? contract.limits.timeLimitMs;
    const softTimeLimitMs = Math.min(headers.softTimeLimitMs ?? contract.limits.softTimeLimitMs, timeLimitMs);
    return new Promise<Outcome>((resolve) => {
      const soft = setTimeout(
        () => this.controller.abort(new SoftTimeLimitExceeded(softTimeLimitMs)),
        softTimeLimitMs,
      );
      const hard = setTimeout(() => {
        const error = new TimeLimitExceeded(timeLimitMs);
        this.controller.abort(error);
        finish({ kind: 'dead', reason: 'time_limit', error });
      }, timeLimitMs);
      const finish = (outcome: Outcome): void => {
        clearTimeout(soft);
        clearTimeout(hard);
        this.endEarly = undefined;
        resolve(outcome);
      };
      this.endEarly = finish;
      const context = createContext({ ...this.parts, signal: this.controller.signal });
      attempt(context).then(
        (result) => finish(this.succeeded(contract, result)),
        (error: unknown) => finish(this.failed(contract, error)),
      );
    });
  }

  private succeeded(contract: TaskContract, result: unknown): Outcome {
    const parsed = contract.output.safeParse(result);
    if (parsed.success) return { kind: 'succeeded', result: parsed.data ?? null };
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || '(result)'}: ${issue.message}`,
    );
    const error = new JobsError(
      'invalid_result',
      `The result of task "${contract.name}" does not match its contract: ${problems.join('; ')}.`,
      { details: { problems } },
    );
    return { kind: 'dead', reason: 'not_retryable', error };
  }

  private failed(contract: TaskContract, error: unknown): Outcome {
    const { headers } = this.parts.delivery;
    const asked = error instanceof RetryRequestedError;
    if (!asked && !isRetryable(contract.retry, error))
      return { kind: 'dead', reason: 'not_retryable', error };
    const reported = asked && error.cause !== undefined ? error.cause : error;
    if (headers.retries >= (headers.maxRetries ?? contract.retry.maxRetries)) {
      return { kind: 'dead', reason: 'max_retries', error: reported };
    }
    const delayMs =
      retryAdvice(error).retryAfterMs ?? backoffDelayMs(contract.retry.backoff, headers.retries + 1);
    return { kind: 'retry', error: reported, delayMs };
  }

  /** A worker was lost after it settled and before its acknowledgement arrived. */
  private async endedEarlier(): Promise<boolean> {
    const { lookup, delivery, logger } = this.parts;
    try {
      const record = await lookup.record(delivery.subject.id);
      if (record === undefined) return false;
      return isFinal(record.state) || (record.state === 'RETRY' && record.retries > delivery.headers.retries);
    } catch (error) {
      // Running twice is what "at least once" allows; not running is not.
      logger.warn({ err: error }, 'the record of a redelivered task could not be read');
      return false;
    }
  }
}

function parseJson({ message, subject }: Delivery): unknown {
  try {
    return message.json();
  } catch (cause) {
    throw new JobsError('invalid_payload', `The payload of task "${subject.task}" is not JSON.`, { cause });
  }
}
