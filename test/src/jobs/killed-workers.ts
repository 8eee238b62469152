/** Worker processes with a database of their own, and faults that meet them at random while their tasks run. */
import { Pool } from 'pg';
import { onTestFinished } from 'vitest';
import { emptyDatabase, spawnProgram, type SpawnedProgram } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

export const ACK_WAIT_MS = 1_000;
const WORKERS = 3;

export interface KilledWorkers extends Pick<Jobs, 'client' | 'connection' | 'topology'> {
  pool: Pool;
  /** Inflicts faults on workers until the work is done, and starts another one for each that has ended. */
  during: <T>(fault: (worker: SpawnedProgram) => Promise<unknown>, work: Promise<T>) => Promise<T>;
}

/**
 * @param program the worker; it gets NATS_URL, PREFIX, DATABASE_URL and ACK_WAIT_MS
 * @param tables statements that make them
 */
export async function startKilledWorkers(program: string, tables: string): Promise<KilledWorkers> {
  const { client, connection, natsUrl, topology } = await openJobs({
    ackWaitMs: ACK_WAIT_MS,
    maxDeliver: 1_000,
  });
  const database = await emptyDatabase();
  const pool = new Pool({ connectionString: database });
  onTestFinished(() => pool.end());
  await pool.query(tables);
  const start = (): SpawnedProgram =>
    spawnProgram(program, {
      NATS_URL: natsUrl,
      PREFIX: topology.names.prefix,
      DATABASE_URL: database,
      ACK_WAIT_MS: String(ACK_WAIT_MS),
    });
  const workers = Array.from({ length: WORKERS }, start);
  await Promise.all(workers.map((worker) => worker.ready()));
  const during: KilledWorkers['during'] = async (fault, work) => {
    const done = new AbortController();
    const end = (): void => done.abort();
    work.then(end, end);
    while (!done.signal.aborted) {
      const index = Math.floor(Math.random() * WORKERS);
      const worker = workers[index];
      if (worker !== undefined) await fault(worker);
      if (worker?.hasEnded() === true) workers[index] = start();
    }
    return work;
  };
  return { client, connection, topology, pool, during };
}
