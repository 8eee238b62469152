/** What surrounds an enqueue, and the call that it sees. */
import type { EnqueueOptions } from '../message/compose-task.js';
import type { Enqueued } from '../message/enqueued.js';
import type { Priority } from '../wire/names.js';

/** The part of a middleware that clients and outboxes use. */
export interface EnqueueMiddleware {
  /** For error messages. Default: its position, `middleware[1]`. */
  readonly name?: string;
  /**
   * Around the storing of a task. `next` takes options to change, and resolves with what `enqueue` returns. A middleware that has not ended
   * after 30 s is left behind.
   */
  readonly enqueue?: (
    call: EnqueueCall,
    next: (changes?: EnqueueChanges) => Promise<Enqueued>,
  ) => Promise<unknown>;
}

/** A task that is about to be stored. */
export interface EnqueueCall {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** As the contract and the options say. */
  readonly priority: Priority;
  readonly tenant: string | undefined;
  readonly payload: unknown;
  /** As the caller and the outer middleware have set them. */
  readonly options: Readonly<EnqueueOptions>;
}

/** Options that a middleware may change. The id and the unique keys are the caller's. */
export type EnqueueChanges = Omit<EnqueueOptions, 'id' | 'unique' | 'uniqueKey' | 'uniqueForMs' | 'debounce'>;
