import { operatorEvents, type OperatorEvent } from '../audit/operator-events.js';
import { withDatabase } from '../database-session.js';
import { createBackup, type Source } from '../backup/create.js';
import { findLosses, republishEvents, type Loss } from '../backup/lost.js';
import { verifyBackup, type Manifest } from '../backup/manifest.js';
import { lookAtTarget, restoreBackup, type InTheWay } from '../backup/restore.js';
import { withNats } from '../broker-session.js';
import { withPlatformClient } from '../client-session.js';
import { confirm } from '../confirm.js';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable } from '../output.js';
import { progressBar } from '../progress.js';
import { loadConfiguration } from '@stratum/shared';

interface Parts {
  withoutDatabase?: boolean;
  json?: boolean;
}

interface RestoreFlags extends Parts {
  check?: boolean;
  replace?: boolean;
  withoutStreams?: boolean;
  replicas?: number;
  yes?: boolean;
}

const DAY_MS = 86_400_000;
const WORD = 'replace';

export async function backup(folder: string, { withoutDatabase = false, json }: Parts): Promise<void> {
  const manifest = await withSource(withoutDatabase, async (source) => {
    // A copy holds everything of everybody.
    await record(source, { action: 'backup.created', subject: 'backup', details: partsOf(source) });
    return withProgress((onProgress) => createBackup(source, folder, onProgress));
  });
  if (json) return printJson(summaryOf(folder, manifest));
  printManifest(manifest);
  console.log(`\nBacked up to ${folder}. Try it: ${typed(`restore ${folder} --check`)}`);
}

export async function restore(folder: string, flags: RestoreFlags): Promise<void> {
  const { check, withoutDatabase = false, withoutStreams = false, json } = flags;
  const manifest = await verifyBackup(folder);
  if (check) {
    if (json) return printJson(summaryOf(folder, manifest));
    printManifest(manifest);
    return console.log('\nEvery file is what was written.');
  }
  const counts = await withSource(withoutDatabase, async (source) => {
    const there = await lookAtTarget(source, { manifest, withoutStreams });
    await requireLeave(there, flags);
    const restored = await withProgress((onProgress) =>
      restoreBackup(source, {
        manifest,
        folder,
        withoutStreams,
        ...(flags.replicas === undefined ? {} : { replicas: flags.replicas }),
        onProgress,
      }),
    );
    // Afterwards: the stream of the audit log is one of those that are replaced.
    await record(source, {
      action: 'backup.restored',
      subject: 'backup',
      details: { ...partsOf(source), streams: !withoutStreams, as_of: manifest.started_at },
    });
    return restored;
  });
  if (json) return printJson({ ...summaryOf(folder, manifest), restored: counts });
  console.log(`Restored the state of ${manifest.started_at}.`);
  console.log(`See what it lacks, before the workers start: ${typed(`lost --since ${manifest.started_at}`)}`);
}

export async function lost({
  since,
  republish,
  json,
}: {
  since?: Date;
  republish?: boolean;
  json?: boolean;
}): Promise<void> {
  const from = since ?? new Date(Date.now() - DAY_MS);
  const { losses, republished } = await withPlatformClient(
    ({ connection, topology, client, record: recordEvent }) =>
      withDatabase({}, async (pool) => {
        const found = await findLosses({ connection, topology, client, pool, since: from });
        if (!republish) return { losses: found, republished: 0 };
        await recordEvent({
          action: 'domain_events.republished',
          subject: 'domain_events',
          details: { since: from.toISOString() },
        });
        return { losses: found, republished: await republishEvents(pool, found) };
      }),
  );
  const gone = losses.filter(({ kind }) => kind !== 'runs again');
  if (json) printJson({ since: from.toISOString(), losses, republished });
  else printLosses(losses, republished);
  if (gone.length > republished) process.exitCode = 1;
}

function printLosses(losses: readonly Loss[], republished: number): void {
  if (losses.length === 0) return console.log('The broker knows everything that the database knows.');
  printTable(
    ['what', 'id', flexible('name'), 'queue', 'tenant', 'at'],
    losses.map(({ kind, id, name, queue, tenant, at }) => [kind, id, name, queue, tenant, ago(at)]),
  );
  if (republished > 0) console.log(`\nThe scheduler publishes ${republished} events again.`);
}

/** Asks before anything is removed. @throws Error without leave */
async function requireLeave({ streams, schemas }: InTheWay, { replace, yes }: RestoreFlags): Promise<void> {
  if (streams.length === 0 && schemas.length === 0) return;
  const what = [
    ...streams.map(({ config, state }) => `${config.name} (${state.messages} messages)`),
    ...schemas.map((name) => `the schema ${name} of the database`),
  ];
  const shown = what.length > 8 ? [...what.slice(0, 8), `${what.length - 8} more`] : what;
  if (!replace) throw new Error(`There is something already: ${shown.join(', ')}. Remove it with --replace.`);
  if (!yes && !(await confirm(`This removes ${shown.join(', ')}. Type "${WORD}" to confirm: `, WORD)))
    throw new Error('Nothing was changed.');
}

/** An application of one's own may have no audit log. */
function record({ connection }: Source, event: OperatorEvent): Promise<void> {
  return operatorEvents(connection, { create: false })(event);
}

function partsOf({ database }: Source): { database: boolean } {
  return { database: database !== undefined };
}

async function withSource<T>(withoutDatabase: boolean, work: (source: Source) => Promise<T>): Promise<T> {
  const withStreams = (database: Source['database']): Promise<T> =>
    withNats((connection, { STRATUM_PREFIX: prefix }) => work({ connection, prefix, database }));
  if (withoutDatabase) return withStreams(undefined);
  const { DATABASE_URL: url } = loadConfiguration(['DATABASE_URL'], await localEnvironment());
  return withDatabase({}, (pool) => withStreams({ pool, url }));
}

async function withProgress<T>(
  work: (onProgress: (done: number, total: number, name: string) => void) => Promise<T>,
): Promise<T> {
  const bar = await progressBar('parts');
  try {
    return await work((done, total, name) => bar.advance(done, total, name));
  } finally {
    bar.stop();
  }
}

interface Summary {
  folder: string;
  started_at: string;
  finished_at: string;
  streams: Record<string, number>;
  database: string | null;
  bytes: number;
}

function summaryOf(folder: string, { started_at, finished_at, streams, database }: Manifest): Summary {
  return {
    folder,
    started_at,
    finished_at,
    streams: Object.fromEntries(streams.map(({ name, state }) => [name, state.messages])),
    database: database?.migration ?? null,
    bytes: [...streams, ...(database === null ? [] : [database])].reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function printManifest({ streams, database }: Manifest): void {
  printTable(
    ['part', 'messages', 'bytes', 'as of'],
    [
      ...streams.map(({ name, state, bytes, taken_at: at }) => [name, state.messages, bytes, at]),
      ...(database === null
        ? []
        : [[`database (PostgreSQL ${database.server_version})`, null, database.bytes, database.taken_at]]),
    ],
  );
}
