/** Results, typed by the task's contract. */
import { JobsError, TaskFailedError } from '../errors.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import type { PayloadOf, ResultOf, TaskContract } from '../task/define-task.js';
import type { StatusOptions } from '../record/lookup.js';
import type { TaskRecord } from '../wire/record.js';

type EndedRecord<Result> =
  | (Omit<TaskRecord, 'state' | 'result'> & { state: 'SUCCESS'; result: Result })
  | (Omit<TaskRecord, 'state' | 'result'> & { state: 'FAILURE' | 'REVOKED' | 'EXPIRED'; result: null });

/** The final record of a task: with the contract's result after a success, with `error` after a failure. */
export type TaskOutcome<Contract extends TaskContract> = EndedRecord<ResultOf<Contract>>;

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
   * Waits for the end, and returns the result alone.
   * @throws TaskFailedError when the task failed, was revoked or expired: with the record, and the task's error as its `cause`; and as `result`
   */
  resultOrThrow(id: string, options?: ResultOptions): Promise<unknown>;
  /** The same, with the contract's type of result. */
  resultOrThrow<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    options?: ResultOptions,
  ): Promise<ResultOf<Contract>>;
  /** Whether the task has ended: `undefined` for an unknown id, or an expired result. */
  ready(id: string, options?: StatusOptions): Promise<boolean | undefined>;
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
export function resultOf<Result>(record: EndedRecord<Result>): Result {
  if (record.state === 'SUCCESS') return record.result;
  throw new TaskFailedError(record);
}
