/**
 * Carries operations out, a second's share at a time, from what the database says: a restart goes on where it was, and Pause or Stop holds
 * within a second. Of all processes one does it. An item that was begun when a process died is tried again: its letter is gone then, or the
 * task revoked already.
 */
import { isUnreachable, JobsError, type JobsClient } from '@stratum/jobs';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { withAdvisoryLock } from '@stratum/shared';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { changeOperation, dueOperations, nextItems, recordOutcomes, type OperationItem } from './store.js';
import type { Verb } from './find-items.js';

const EVERY_MS = 1_000;
const AT_ONCE = 16;
const NO_TENANT = '0';

type Outcome = Pick<OperationItem, 'outcome' | 'detail'>;

export function createOperationDriver(parts: {
  pool: Pool;
  client: JobsClient;
  logger: Logger;
}): BackgroundLoop {
  const { pool, logger } = parts;
  return new BackgroundLoop({
    everyMs: EVERY_MS,
    run: async (signal) => {
      await withAdvisoryLock(pool, 'stratum.operations', signal, async () => {
        for (const operation of await dueOperations(pool)) await advance(parts, operation);
      });
      return undefined;
    },
    onFailure: (error) => logger.warn({ err: error }, 'operations could not go on, trying again'),
  });
}

async function advance(
  { pool, client }: { pool: Pool; client: JobsClient },
  { id, verb, rate }: { id: string; verb: Verb; rate: number },
): Promise<void> {
  const items = await nextItems(pool, id, rate);
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const some = items.slice(start, start + AT_ONCE);
    const outcomes = await Promise.all(
      some.map(async (item) => ({ place: item.place, ...(await carryOut(client, verb, item)) })),
    );
    await recordOutcomes(pool, id, outcomes);
  }
  if (items.length < rate) await changeOperation(pool, id, { from: ['running'], to: 'ended' });
}

const GONE: Outcome = { outcome: 'gone', detail: null };
const DONE: Outcome = { outcome: 'done', detail: null };

async function carryOut(client: JobsClient, verb: Verb, item: OperationItem): Promise<Outcome> {
  try {
    return verb === 'cancel' ? await cancel(client, item) : await onLetter(client, verb, item);
  } catch (error) {
    // What concerns one task stays with it; a broker that is away concerns all, and they are tried again.
    if (error instanceof JobsError && !isUnreachable(error))
      return { outcome: 'kept', detail: error.message };
    throw error;
  }
}

async function cancel(client: JobsClient, { id, tenant }: OperationItem): Promise<Outcome> {
  const result = await client.revoke(id, { tenant: tenant === NO_TENANT ? null : tenant });
  return result === 'revoked' || result === 'signalled' ? DONE : GONE;
}

async function onLetter(
  { deadLetters }: JobsClient,
  verb: Exclude<Verb, 'cancel'>,
  { id, task, tenant }: OperationItem,
): Promise<Outcome> {
  const letter = await deadLetters.get(id);
  // Another tenant's task may have the same id.
  if (letter?.task !== task || (letter.tenant ?? NO_TENANT) !== tenant) return GONE;
  if (verb === 'discard') return (await deadLetters.discard(id)) ? DONE : GONE;
  await deadLetters.replay(id);
  return DONE;
}
