/** What a handler is given besides its payload. */
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { BatchItem, Enqueued, JobsClient } from '../client/client.js';
import type { EnqueueOptions } from '../client/compose.js';
import { RetryRequestedError } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import type { ScheduledBy } from '../wire/headers.js';
import type { Priority } from '../wire/names.js';
import type { TaskProgress } from '../wire/record.js';
import type { Delivery } from './delivery.js';

export interface TaskContext {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly priority: Priority;
  readonly tenant: string | undefined;
  /** Retries so far: 0 in the first attempt. */
  readonly retries: number;
  /** How often this attempt was handed to a worker; above 1 an earlier worker was lost in the middle. */
  readonly deliveries: number;
  /** The schedule entry and tick that asked for this task. */
  readonly scheduledBy: ScheduledBy | undefined;
  /**
   * Aborts at the soft time limit (`SoftTimeLimitExceeded`), at the hard one (`TimeLimitExceeded`) and when the worker's grace
   * time is over (`WorkerShutdownError`). Pass it to everything that can wait.
   */
  readonly signal: AbortSignal;
  /** Carries the ids of this attempt in every line. */
  readonly logger: Logger;
  /** Tells watchers how far the work is; stored in the background. */
  progress(done: number, total: number, note?: string): void;
  /** Ends this attempt and tries again after the delay (default: the contract's back-off), while retries are left. */
  retry(options?: { delayMs?: number; cause?: unknown }): never;
  /** Enqueues a child: its record points to this task, and to the first of the family. */
  enqueue<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options?: EnqueueOptions,
  ): Promise<Enqueued>;
  /** Enqueues many children. */
  enqueueMany<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    items: readonly BatchItem<z.input<Input>>[],
  ): Promise<Enqueued[]>;
}

export interface ContextParts {
  delivery: Delivery;
  producer: Pick<JobsClient, 'enqueue' | 'enqueueMany'>;
  signal: AbortSignal;
  logger: Logger;
  onProgress: (progress: TaskProgress) => void;
}

export function createContext({ delivery, producer, signal, logger, onProgress }: ContextParts): TaskContext {
  const { subject, headers, deliveries } = delivery;
  const family = { parentId: subject.id, rootId: headers.rootId ?? subject.id };
  return {
    ...subject,
    retries: headers.retries,
    deliveries,
    scheduledBy: headers.scheduledBy,
    signal,
    logger,
    progress: (done, total, note) => onProgress({ done, total, note: note ?? null }),
    retry: ({ delayMs, cause } = {}) => {
      throw new RetryRequestedError(delayMs, cause);
    },
    enqueue: (contract, payload, options) => producer.enqueue(contract, payload, { ...family, ...options }),
    enqueueMany: (contract, items) =>
      producer.enqueueMany(
        contract,
        items.map(({ payload, options }) => ({ payload, options: { ...family, ...options } })),
      ),
  };
}
