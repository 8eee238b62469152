/** One sync of each account of the demonstration tenants, through the queue like any other. */
import { connectToNats, createClient, LOGIN_SETTINGS, loginFrom, type TaskRecord } from '@stratum/jobs';
import { DEMO_TENANT_ID, OTHER_TENANT_ID } from '../demonstration/index.js';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS, syncCampaignData } from '@stratum/shared';
import { PLATFORM_NAMES, type PlatformName } from '@stratum/connectors/ad-platforms';
import { z } from 'zod';

const SYNC_TIMEOUT_MS = 120_000;

const windowSchema = z.object({ window: z.object({ since: z.string(), until: z.string() }).nullable() });

export interface SyncedPlatform {
  platform: PlatformName;
  state: TaskRecord['state'];
  campaigns: number;
  days: number;
  rows: number;
  changed: number;
  seconds: number;
  error: string | null;
}

/** Resolves when all have ended: what became of the first tenant's, in order of the platforms. */
export async function runFirstSync(
  environment: NodeJS.ProcessEnv,
  onProgress: (message: string) => void,
): Promise<SyncedPlatform[]> {
  const configuration = loadConfiguration([...LOGIN_SETTINGS, ...TOPOLOGY_SETTINGS], environment);
  const connection = await connectToNats({
    ...loginFrom(configuration),
    name: 'stratum-up',
  });
  const client = createClient({ connection, topology: platformTopology(configuration) });
  try {
    let done = 0;
    const other = client
      .enqueue(syncCampaignData, { tenant_id: OTHER_TENANT_ID, platform: 'meta' })
      .then(({ id }) => client.result(id, { timeoutMs: SYNC_TIMEOUT_MS }));
    const synced = Promise.all(
      PLATFORM_NAMES.map(async (platform) => {
        const { id } = await client.enqueue(syncCampaignData, { tenant_id: DEMO_TENANT_ID, platform });
        const record = await client.result(id, { timeoutMs: SYNC_TIMEOUT_MS });
        onProgress(`synced ${platform} (${++done} of ${PLATFORM_NAMES.length})`);
        return summarise(platform, record);
      }),
    );
    const [summaries] = await Promise.all([synced, other]);
    return summaries;
  } finally {
    await client.close();
    await connection.close();
  }
}

function summarise(platform: PlatformName, record: TaskRecord): SyncedPlatform {
  const result = syncCampaignData.output.safeParse(record.result).data;
  const window = windowSchema.safeParse(record.result).data?.window;
  return {
    platform,
    state: record.state,
    campaigns: result?.campaigns_read ?? 0,
    days: window ? daysIn(window) : 0,
    rows: result?.metric_rows_read ?? 0,
    changed: result?.metric_rows_written ?? 0,
    seconds: Math.round((record.runtime_ms ?? 0) / 10) / 100,
    error: record.error?.message ?? null,
  };
}

function daysIn({ since, until }: { since: string; until: string }): number {
  return Math.round((Date.parse(until) - Date.parse(since)) / 86_400_000) + 1;
}
