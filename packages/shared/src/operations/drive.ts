/**
 * Carries operations out, a second's share at a time, from what the database says: a restart goes on where it was, and Pause or Stop holds
 * within a second. Of all processes one does it. An item that was begun when a process died is tried again: its letter is gone then, or the
 * task revoked already.
 */
import { isUnreachable, JobsError, type JobsClient, type KeptLetter } from '@stratum/jobs';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { withAdvisoryLock } from '../database/database.js';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import {
  changeOperation,
  dueOperations,
  keepItemLetter,
  keptItems,
  nextItems,
  recordOutcomes,
  recordRestored,
  type DueOperation,
  type OperationItem,
} from './store.js';
import type { Verb } from './find-items.js';

const EVERY_MS = 1_000;
const AT_ONCE = 16;
const NO_TENANT = '0';

type Outcome = Pick<OperationItem, 'outcome' | 'detail'>;

export interface OperationDriverOptions {
  pool: Pool;
  client: JobsClient;
  logger: Logger;
}

export function createOperationDriver(parts: OperationDriverOptions): BackgroundLoop {
  const { pool, logger } = parts;
  return new BackgroundLoop({
    everyMs: EVERY_MS,
    run: async (signal) => {
      await withAdvisoryLock(pool, 'stratum.operations', signal, async () => {
        for (const operation of await dueOperations(pool))
          await (operation.state === 'undoing' ? takeBack : advance)(parts, operation);
      });
      return undefined;
    },
    onFailure: (error) => logger.warn({ err: error }, 'operations could not go on, trying again'),
  });
}

type Parts = Pick<OperationDriverOptions, 'pool' | 'client'>;

async function advance({ pool, client }: Parts, { id, verb, rate }: DueOperation): Promise<void> {
  const items = await nextItems(pool, id, rate);
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const some = items.slice(start, start + AT_ONCE);
    const outcomes = await Promise.all(
      some.map(async (item) => {
        const keep = (letter: KeptLetter): Promise<void> => keepItemLetter(pool, id, item.place, letter);
        return { place: item.place, ...(await carryOut(client, verb, item, keep)) };
      }),
    );
    await recordOutcomes(pool, id, outcomes);
  }
  if (items.length < rate) await changeOperation(pool, id, { from: ['running'], to: 'ended' });
}

async function takeBack({ pool, client }: Parts, { id, rate }: DueOperation): Promise<void> {
  const items = await keptItems(pool, id, rate);
  for (let start = 0; start < items.length; start += AT_ONCE)
    await Promise.all(
      items.slice(start, start + AT_ONCE).map(async ({ place, letter }) => {
        const isBack = await client.deadLetters.restore(letter);
        const detail = isBack ? null : 'The task has failed again meanwhile: its newer letter stays.';
        await recordRestored(pool, id, { place, detail });
      }),
    );
  if (items.length < rate) await changeOperation(pool, id, { from: ['undoing'], to: 'undone' });
}

const GONE: Outcome = { outcome: 'gone', detail: null };
const DONE: Outcome = { outcome: 'done', detail: null };

type Keep = (letter: KeptLetter) => Promise<void>;

async function carryOut(client: JobsClient, verb: Verb, item: OperationItem, keep: Keep): Promise<Outcome> {
  try {
    return verb === 'cancel' ? await cancel(client, item) : await onLetter(client, verb, item, keep);
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
  keep: Keep,
): Promise<Outcome> {
  const letter = await deadLetters.get(id);
  // Another tenant's task may have the same id.
  if (letter?.task !== task || (letter.tenant ?? NO_TENANT) !== tenant) return GONE;
  if (verb === 'discard') return (await deadLetters.discard(id, { keep })) ? DONE : GONE;
  await deadLetters.replay(id);
  return DONE;
}
