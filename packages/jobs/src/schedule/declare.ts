/** Writes the code's entries into the bucket, and completes every entry from its task's contract. */
import { setImmediate as immediate } from 'node:timers/promises';
import { JobsError } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import type { Topology } from '../topology/define.js';
import type { ScheduleBook } from './book.js';
import { eachLimited } from '../broker/each-limited.js';
import type { ScheduleBucket } from './bucket.js';
import type { EntryPlace, KeptPlaces } from './kept-places.js';
import { parseEntry, type ScheduleEntryOptions, type StoredEntry } from './entry.js';

/** Entries checked before other work of the process gets its turn. */
const TURN = 500;

export interface Declaration {
  topology: Topology;
  contracts: readonly TaskContract[];
  entries: readonly ScheduleEntryOptions[];
  /** Milliseconds since 1970. */
  now: number;
}

export interface DeclarationParts {
  bucket: ScheduleBucket;
  book: ScheduleBook;
  places: KeptPlaces;
  logger: Logger;
}

/**
 * Keeps pauses, and the position of every entry whose times have not changed, also if a scheduler of another version has removed the entry
 * meanwhile. An entry that somebody added under the name of one of the code stays as it is.
 */
export async function declareEntries(
  { bucket, book, places, logger }: DeclarationParts,
  { topology, contracts, entries, now }: Declaration,
): Promise<void> {
  const declared: StoredEntry[] = [];
  for (const options of entries) {
    declared.push(resolveEntry(options, { topology, contracts, source: 'code', now }));
    // Checking a hundred thousand entries takes seconds, and the lease has to be renewed meanwhile.
    if (declared.length % TURN === 0) await immediate();
  }
  const names = new Set(declared.map(({ name }) => name));
  if (names.size !== declared.length) {
    throw new JobsError('invalid_options', 'Two schedule entries of the code have the same name.');
  }
  await places.load();
  await eachLimited(declared, async (entry) => {
    const known = book.entries.get(entry.name);
    if (known?.entry.source === 'runtime') {
      logger.warn(
        { entry: entry.name },
        'an entry of the code is left out: somebody added one of the same name',
      );
      return;
    }
    const place = known?.entry ?? places.of(entry.name);
    const next = place === undefined ? entry : keepPlace(entry, place);
    if (known !== undefined && JSON.stringify(next) === JSON.stringify(known.entry)) return;
    await bucket.put(`entry.${entry.name}`, next, {
      expected: known?.entrySequence ?? (await lastSequence(bucket, entry.name)),
    });
  });
  for (const { name, entry, entrySequence } of book.entries.values()) {
    if (entry.source === 'code' && !names.has(name)) {
      places.removed(name);
      await bucket.delete(`entry.${name}`, { expected: entrySequence });
    }
  }
}

/** The sequence of what is stored, which may be the marker of a removed entry. */
async function lastSequence(bucket: ScheduleBucket, name: string): Promise<number> {
  return (await bucket.get(`entry.${name}`))?.sequence ?? 0;
}

/** @throws JobsError `unknown_task`, InvalidPayloadError, or `invalid_options` */
export function resolveEntry(
  options: unknown,
  {
    topology,
    contracts,
    source,
    now,
  }: Pick<Declaration, 'topology' | 'contracts' | 'now'> & { source: StoredEntry['source'] },
): StoredEntry {
  const entry = parseEntry(options);
  const contract = contracts.find(({ name }) => name === entry.task);
  if (contract === undefined) {
    throw new JobsError(
      'unknown_task',
      `Schedule entry "${entry.name}": task: there is no task "${entry.task}". The tasks are: ${contracts
        .map(({ name }) => name)
        .toSorted()
        .join(', ')}.`,
      { details: { entry: entry.name, task: entry.task } },
    );
  }
  const tenant = contract.tenantOf(parsePayload(contract, entry.payload));
  return {
    ...entry,
    priority: entry.priority ?? contract.priority,
    queue: topology.queue(contract.queue).name,
    tenant: tenant ?? null,
    source,
    active_since: new Date(now).toISOString(),
    paused: null,
  };
}

/** Fields that an edit keeps. A clock that starts earlier moves the entry's start with it. */
export function keepPlace(entry: StoredEntry, before: EntryPlace): StoredEntry {
  const sameTimes =
    entry.cron === before.cron && entry.every_ms === before.every_ms && entry.time_zone === before.time_zone;
  return {
    ...entry,
    paused: before.paused,
    ...(sameTimes ? { active_since: earlier(entry.active_since, before.active_since) } : {}),
  };
}

function earlier(one: string, other: string): string {
  return Date.parse(one) < Date.parse(other) ? one : other;
}
