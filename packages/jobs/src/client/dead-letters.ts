/** Looks at dead letters, sends them back to work, or throws them away. */
import type { Resources } from '../resources/resources.js';
import type { Msg } from '@nats-io/nats-core';
import { setTimeout as delay } from 'node:timers/promises';
import { JobsError } from '../errors.js';
import { storedSequence, storedSubject } from '../broker/stream-access.js';
import { isConflict } from '../broker/server-errors.js';
import { carryHeaders, DeadHeader, readTaskHeaders, ServerHeader, TaskHeader } from '../wire/headers.js';
import { DEAD_REASONS, type DeadReason } from '../wire/dead-reason.js';
import { readHistory, type FailedAttempt } from '../wire/history.js';
import { isNestedTooDeep } from '../values/any-value.js';
import { pageSize, rate, sequence } from '../values/bounds.js';
import { requireToken, type Priority } from '../wire/names.js';
import { replayedRecord } from '../record/task-record.js';

export interface DeadLetter {
  /** The task's id. */
  id: string;
  task: string;
  queue: string;
  tenant: string | null;
  priority: Priority;
  reason: DeadReason;
  /** One line: the error's type and message. */
  error: string;
  attempts: number;
  worker: string | null;
  /** RFC 3339. */
  at: string;
  enqueuedAt: string | null;
  /** Failed attempts, the last ones, the oldest first. */
  history: FailedAttempt[];
  /** The body as it was: JSON where it is JSON, else text. */
  payload: unknown;
  /** The place in the dead letters' stream: newer letters have higher ones. */
  sequence: number;
}

export interface DeadLetterFilter {
  queue?: string;
  task?: string;
  tenant?: string;
  reason?: DeadReason;
  /** Only letters whose error contains this. */
  errorContains?: string;
  /** Only letters behind this sequence: the next page. */
  after?: number;
}

export interface ReplayOptions {
  /** Replaces the payload. */
  payload?: unknown;
}

export interface DeadLetters {
  /** The oldest first. At most `limit` (100 by default). */
  list(filter?: DeadLetterFilter & { limit?: number }): Promise<DeadLetter[]>;
  /** The newest dead letter of a task; `undefined` when it has none. */
  get(id: string): Promise<DeadLetter | undefined>;
  /**
   * Runs the task again with fresh retries; the dead letter is gone then. The new task's header points back to it.
   * @throws JobsError `unknown_dead_letter`, or `publish_conflict` while a task of that id is queued
   */
  replay(id: string, options?: ReplayOptions): Promise<void>;
  /** Replays all that match, at most so many a second (100 by default). Yields each as it is done. */
  replayMany(filter: DeadLetterFilter, options?: { ratePerSecond?: number }): AsyncGenerator<DeadLetter>;
  /** Throws the dead letter away; `false` when there was none. */
  discard(id: string): Promise<boolean>;
}

const PAGE = 100;

export function deadLettersOf(resources: Resources): DeadLetters {
  return new DeadLetterBox(resources);
}

interface StoredLetter {
  letter: DeadLetter;
  message: Msg;
}

class DeadLetterBox implements DeadLetters {
  constructor(private readonly resources: Resources) {}

  async list({ limit = PAGE, ...filter }: DeadLetterFilter & { limit?: number } = {}): Promise<DeadLetter[]> {
    pageSize.require('limit', limit);
    const found: DeadLetter[] = [];
    for await (const { letter } of this.matching(filter)) {
      if (found.push(letter) >= limit) break;
    }
    return found;
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    return (await this.find(id))?.letter;
  }

  async replay(id: string, options: ReplayOptions = {}): Promise<void> {
    const stored = await this.find(id);
    if (stored === undefined) {
      throw new JobsError('unknown_dead_letter', `There is no dead letter of a task "${id}".`, {
        details: { id },
      });
    }
    await this.send(stored, options);
  }

  async *replayMany(
    filter: DeadLetterFilter,
    { ratePerSecond = 100 }: { ratePerSecond?: number } = {},
  ): AsyncGenerator<DeadLetter> {
    rate.require('ratePerSecond', ratePerSecond);
    const startedAt = Date.now();
    let count = 0;
    // What fails again meanwhile lies behind the end, and is not replayed again.
    const end = (await this.lastSequence()) ?? 0;
    for await (const stored of this.matching(filter)) {
      if (stored.letter.sequence > end) return;
      await delay(Math.max(0, startedAt + (count++ * 1000) / ratePerSecond - Date.now()));
      await this.send(stored, {});
      yield stored.letter;
    }
  }

  async discard(id: string): Promise<boolean> {
    const stored = await this.find(id);
    return (
      stored !== undefined &&
      this.resources.streams.delete(this.resources.topology.names.deadStream, stored.letter.sequence)
    );
  }

  private async find(id: string): Promise<StoredLetter | undefined> {
    const { names } = this.resources;
    const message = await this.resources.streams.get(names.deadStream, {
      last_by_subj: names.deadById(requireToken(id, 'id')),
    });
    return message && toLetter(message);
  }

  private async lastSequence(): Promise<number | undefined> {
    const { names } = this.resources;
    const last = await this.resources.streams.get(names.deadStream, { last_by_subj: names.deadFilter });
    return last && storedSequence(last);
  }

  private async *matching({ after = 0, ...filter }: DeadLetterFilter): AsyncGenerator<StoredLetter> {
    const { names } = this.resources;
    sequence.optional('after', after);
    const subject = names.deadSubject(filter.queue ?? '*', filter.task ?? '*', '*');
    for (let from = after + 1; ;) {
      const message = await this.resources.streams.get(names.deadStream, {
        seq: from,
        next_by_subj: subject,
      });
      if (message === undefined) return;
      from = storedSequence(message) + 1;
      const stored = toLetter(message);
      if (matches(stored.letter, filter)) yield stored;
    }
  }

  /** Publish the task → reset its record → remove the letter: whoever dies in between, the task's next start removes the letter. */
  private async send({ letter, message }: StoredLetter, options: ReplayOptions): Promise<void> {
    const { names } = this.resources;
    const subject = message.headers?.get(DeadHeader.Subject) ?? '';
    const parsed = names.parseTaskSubject(subject);
    if (parsed === undefined) {
      throw new JobsError(
        'invalid_options',
        `The dead letter of "${letter.id}" does not say where to replay it to.`,
      );
    }
    const headers = carryHeaders(message.headers);
    for (const name of [
      ...Object.values(DeadHeader),
      TaskHeader.Retries,
      TaskHeader.Snoozes,
      TaskHeader.History,
    ])
      headers.delete(name);
    let enqueuedAt = new Date().toISOString();
    headers.set(TaskHeader.EnqueuedAt, enqueuedAt);
    headers.set(TaskHeader.ReplayOf, String(letter.sequence));
    headers.set(ServerHeader.MsgId, `${letter.id}.replay-${letter.sequence}`);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, '0');
    const body = options.payload === undefined ? message.data : JSON.stringify(options.payload);
    try {
      await this.resources.publisher.publish(subject, body, { headers });
    } catch (error) {
      const earlier = await this.earlierReplay(error, letter);
      if (earlier === undefined) throw error;
      enqueuedAt = earlier;
    }
    // Unless the task has started meanwhile: then its record is further.
    await this.resources.records.replace(
      letter.id,
      (standing) => standing && replayedRecord(standing, enqueuedAt),
    );
    const { workflow } = readTaskHeaders(headers);
    if (workflow !== undefined) await this.resources.workflows.stepReplayed(workflow, letter.id);
    await this.resources.streams.delete(names.deadStream, letter.sequence);
  }

  /** When an earlier replay of this very letter, cut short after its publish, enqueued the task. */
  private async earlierReplay(error: unknown, letter: DeadLetter): Promise<string | undefined> {
    if (!isConflict(error)) return undefined;
    const { names } = this.resources;
    const queued = await this.resources.streams.get(names.queueStream(letter.queue), {
      seq: 1,
      next_by_subj: names.taskById(letter.queue, letter.id),
    });
    const headers = readTaskHeaders(queued?.headers);
    return headers.replayOf === letter.sequence ? headers.enqueuedAt : undefined;
  }
}

function toLetter(message: Msg): StoredLetter {
  const { headers } = message;
  const [queue = '', task = '', id = ''] = storedSubject(message).split('.').slice(-3);
  const header = (name: string): string => headers?.get(name) ?? '';
  const own = readTaskHeaders(headers);
  const [priority, tenant] = header(DeadHeader.Subject).split('.').slice(-4, -2);
  return {
    message,
    letter: {
      id,
      task,
      queue,
      tenant: tenant === undefined || tenant === '_' ? null : tenant,
      priority: priority === 'high' || priority === 'low' ? priority : 'normal',
      reason: DEAD_REASONS.find((reason) => reason === header(DeadHeader.Reason)) ?? 'not_retryable',
      error: header(DeadHeader.Error),
      attempts: Number(header(DeadHeader.Attempts)) || 1,
      worker: header(DeadHeader.Worker) || null,
      at: header(DeadHeader.At),
      enqueuedAt: own.enqueuedAt ?? null,
      history: readHistory(own.history),
      payload: readBody(message),
      sequence: storedSequence(message),
    },
  };
}

function readBody(message: Msg): unknown {
  const text = message.string();
  // Whoever lists letters writes them down again, and would fail for all of them.
  if (isNestedTooDeep(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function matches(letter: DeadLetter, { tenant, reason, errorContains }: DeadLetterFilter): boolean {
  return (
    (tenant === undefined || letter.tenant === tenant) &&
    (reason === undefined || letter.reason === reason) &&
    (errorContains === undefined || letter.error.includes(errorContains))
  );
}
