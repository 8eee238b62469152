/** Results, typed by the task's contract. */
import { JobsError, TaskFailedError } from '../errors.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import type { PayloadOf, ResultOf, TaskContract } from '../task/define-task.js';
import type { TaskRecord } from '../wire/record.js';

/** The final record of a task: with the contract's result after a success, with `error` after a failure. */
export type TaskOutcome<Contract extends TaskContract> =
  | (Omit<TaskRecord, 'state' | 'result'> & { state: 'SUCCESS'; result: ResultOf<Contract> })
  | (Omit<TaskRecord, 'state' | 'result'> & { state: 'FAILURE' | 'REVOKED' | 'EXPIRED'; result: null });

export interface ResultOptions {
  /** Timeout in milliseconds. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Stops waiting; the task continues. */
  signal?: AbortSignal | undefined;
}

export type CallOptions = EnqueueOptions & ResultOptions;

export interface ResultReader {
  /**
   * Waits for the final record, without polling.
   * @throws ResultTimeoutError when the task has not ended in time, or the signal's reason; the task continues in both cases
   */
  result(id: string, options?: ResultOptions): Promise<TaskRecord>;
  /**
   * The same, with the contract's type of result. The worker has checked the result; it is not checked again.
   * @throws JobsError `invalid_options` for a contract with `ignoreResult`, which keeps none
   */
  result<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    options?: ResultOptions,
  ): Promise<TaskOutcome<Contract>>;
  /**
   * Enqueues a task, waits for its end and returns its result. Not for web requests that cannot wait: enqueue there, and ask later.
   * @throws TaskFailedError with the record when the task failed, was revoked or expired; ResultTimeoutError; and as `enqueue`
   */
  call<Contract extends TaskContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: CallOptions,
  ): Promise<ResultOf<Contract>>;
}

/** @throws JobsError `invalid_options`, because such a task never stores a result */
export function requireResult({ name, ignoreResult }: TaskContract): void {
  if (!ignoreResult) return;
  throw new JobsError(
    'invalid_options',
    `Task "${name}" keeps no result (ignoreResult), so there is nothing to wait for; read its events, or let the contract keep results.`,
    { details: { task: name } },
  );
}

/** @throws TaskFailedError unless the task succeeded */
export function resultOf<Contract extends TaskContract>(record: TaskOutcome<Contract>): ResultOf<Contract> {
  if (record.state === 'SUCCESS') return record.result;
  throw new TaskFailedError(record);
}
