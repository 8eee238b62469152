/** The message of a dead letter. */
import type { MsgHdrs } from '@nats-io/nats-core';
import { carryHeaders, DeadHeader, headerText, ServerHeader, TaskHeader } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';
import type { DeadReason } from '../wire/dead-reason.js';

export interface DeadTask {
  subject: TaskSubject;
  /** The full subject, to replay to. */
  replayTo: string;
  headers: MsgHdrs | undefined;
  retries: number;
  enqueuedAt: string;
  /** Place in its stream of a message that is no task: several may come to one subject. */
  sequence?: number;
}

export interface Verdict {
  reason: DeadReason;
  /** One line: the error's type and message. */
  error: string;
  worker: string | null;
  /** The failed attempts, as `history.ts` writes them. Default: as the message has it. */
  history?: string;
}

export function composeDeadLetter(
  names: Names,
  task: DeadTask,
  { reason, error, worker, history }: Verdict,
): { subject: string; headers: MsgHdrs } {
  const { queue, task: name, id } = task.subject;
  const headers = carryHeaders(task.headers);
  headers.set(TaskHeader.EnqueuedAt, task.enqueuedAt);
  headers.set(DeadHeader.Reason, reason);
  headers.set(DeadHeader.Error, headerText(error));
  headers.set(DeadHeader.At, new Date().toISOString());
  headers.set(DeadHeader.Attempts, String(task.retries + 1));
  if (worker !== null) headers.set(DeadHeader.Worker, worker);
  if (history !== undefined) headers.set(TaskHeader.History, history);
  headers.set(DeadHeader.Subject, task.replayTo);
  headers.set(ServerHeader.MsgId, deadLetterId(task));
  return { subject: names.deadSubject(queue, name, id), headers };
}

/** The same for the same attempt, whoever dead-letters it and however often: so there is one letter. */
export function deadLetterId({
  subject: { id },
  enqueuedAt,
  retries,
  sequence,
}: Pick<DeadTask, 'subject' | 'enqueuedAt' | 'retries' | 'sequence'>): string {
  const place = sequence === undefined ? '' : `-${sequence}`;
  return `${id}.dead-${enqueuedAt}-${retries}${place}`;
}
