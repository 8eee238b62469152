/** The embedded PostgreSQL for one peer, which syncs every commit to disk. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@stratum/cli/embedded';

export const POSTGRES_DURABILITY = 'PostgreSQL, every commit synced';

export async function openPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-postgres-'));
  const server = await startPostgres({ dataDir });
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
