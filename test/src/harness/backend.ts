/** The servers that the tests run against: plain processes, or containers where an engine and the images are at hand. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startNatsServer } from '@stratum/jobs/embedded';
import { programsIn, startPostgres } from '@stratum/cli/embedded';
import { startCluster } from './cluster.js';
import { startContainers } from './containers.js';
import type { Backend } from './started-backend.js';

export interface BackendOptions {
  /** For data; removed by the caller. */
  folder: string;
  natsBinary: string;
}

/** The same names and defaults as in `deploy/compose.yaml`. */
const IMAGES = {
  nats: process.env['NATS_IMAGE'] || 'nats:2.12.6-alpine',
  postgres: process.env['POSTGRES_IMAGE'] || 'postgres:18',
} as const;
const PROBE_TIMEOUT_MS = 5_000;

/** Copies of each stream that tests of the framework make: 3 with `STRATUM_TEST_CLUSTER`, which starts three NATS servers. */
export const TEST_REPLICAS = process.env['STRATUM_TEST_CLUSTER'] ? 3 : 1;

/** Another PostgreSQL than the one that npm ships with the command: the folder of its programs. */
const POSTGRES_PROGRAMS = process.env['STRATUM_TEST_POSTGRES'];

/** `STRATUM_TEST_BACKEND`: `process`, `docker`, or `auto` (the default): containers when both images are there. */
export async function startBackend(options: BackendOptions): Promise<Backend> {
  const wanted = process.env['STRATUM_TEST_BACKEND'] || 'auto';
  if (!['process', 'docker', 'auto'].includes(wanted)) {
    throw new Error(`STRATUM_TEST_BACKEND is "${wanted}"; it must be process, docker or auto.`);
  }
  const containers = wanted === 'docker' || (wanted === 'auto' && (await imagesArePresent()));
  return containers && TEST_REPLICAS === 1 && !POSTGRES_PROGRAMS
    ? startContainers(IMAGES)
    : startProcesses(options);
}

async function startProcesses({ folder, natsBinary }: BackendOptions): Promise<Backend> {
  const [nats, postgres] = await Promise.all([
    TEST_REPLICAS === 1
      ? startNatsServer({ binary: natsBinary, dataDir: join(folder, 'nats') })
      : startCluster({ binary: natsBinary, folder }),
    startPostgres({
      dataDir: join(folder, 'postgres'),
      durable: false,
      ...(POSTGRES_PROGRAMS ? { programs: programsIn(POSTGRES_PROGRAMS) } : {}),
    }),
  ]);
  return {
    description: `processes (${TEST_REPLICAS === 1 ? 'embedded NATS' : 'a cluster of three NATS servers'} and PostgreSQL${POSTGRES_PROGRAMS ? ` of ${POSTGRES_PROGRAMS}` : ''})`,
    natsUrl: nats.url,
    adminDatabaseUrl: postgres.url,
    stop: async () => {
      await Promise.all([nats.stop(), postgres.stop()]);
    },
  };
}

async function imagesArePresent(): Promise<boolean> {
  try {
    await promisify(execFile)('docker', ['image', 'inspect', ...Object.values(IMAGES)], {
      timeout: PROBE_TIMEOUT_MS,
    });
    return true;
  } catch {
    return false;
  }
}
