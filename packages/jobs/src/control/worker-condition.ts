/** What state a worker is in, as its heartbeats and the broker tell it apart. */
import type { NatsConnection } from '@nats-io/nats-core';
import { isTimeout } from '../wire/server-errors.js';
import type { Names } from '../wire/names.js';
import { HEART_BEAT_MS, type HeartBeat } from './entries.js';

/**
 * `unreachable`: it is dead or disconnected. `blocked`: its connection is open, but it does not answer, or its event loop was blocked for two
 * seconds since the heartbeat before. `draining`: it is stopping. `busy`: every slot is taken. `ready`: it has free slots.
 */
export const WORKER_CONDITIONS = ['ready', 'busy', 'draining', 'blocked', 'unreachable'] as const;
export type WorkerCondition = (typeof WORKER_CONDITIONS)[number];

/** Without a heartbeat for this long, a worker is asked. */
const ASK_AFTER_MS = HEART_BEAT_MS * 1.2;
const ANSWER_WITHIN_MS = 500;
const BLOCKED_MS = 2_000;

export function isAnswering(condition: WorkerCondition): boolean {
  return condition !== 'unreachable' && condition !== 'blocked';
}

/** @param heardAt when the broker stored the heartbeat */
export async function conditionOf(
  connection: NatsConnection,
  names: Names,
  beat: HeartBeat,
  heardAt: Date,
): Promise<WorkerCondition> {
  if (Date.now() - heardAt.getTime() > ASK_AFTER_MS) {
    const silence = await silenceOf(connection, names.workerSubject(beat.name, 'ping'));
    if (silence !== undefined) return silence;
  }
  if (beat.state === 'draining') return 'draining';
  if (beat.loop_lag_ms >= BLOCKED_MS) return 'blocked';
  return beat.running >= beat.concurrency ? 'busy' : 'ready';
}

/** The broker knows at once that nobody listens; a process that is blocked listens without answering. */
async function silenceOf(
  connection: NatsConnection,
  subject: string,
): Promise<'blocked' | 'unreachable' | undefined> {
  try {
    await connection.request(subject, '{}', { timeout: ANSWER_WITHIN_MS });
    return undefined;
  } catch (error) {
    return isTimeout(error) ? 'blocked' : 'unreachable';
  }
}
