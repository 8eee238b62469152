/** Limits by key. */
import {
  defineTask,
  handleTask,
  TaskError,
  type Enqueued,
  type JobsClient,
  type PayloadOf,
} from '@stratum/jobs';
import { z } from 'zod';

export const syncAccount = defineTask({
  name: 'sync_account',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), platform: z.string(), ad_account: z.string() }),
  output: z.null(),
  keyLimits: [
    { key: 'payload.ad_account', rate: '500/h' },
    { name: 'platform', key: ['tenant', 'payload.platform'], concurrency: 2 },
  ],
});

/** An account id with and without its prefix is one account. */
export const pauseCampaign = defineTask({
  name: 'pause_campaign',
  queue: 'default',
  input: z.object({ ad_account: z.string() }),
  output: z.null(),
  keyLimits: [{ name: 'account', key: ({ ad_account }) => ad_account.replace(/^act_/, ''), concurrency: 1 }],
});

export const pauseCampaignHandler = handleTask(pauseCampaign, ({ ad_account }) => {
  if (ad_account === '') throw new TaskError('There is no such account.', { retryable: false });
  return null;
});

export async function slowDown({ control }: JobsClient): Promise<void> {
  await control.setKeyLimit(syncAccount.name, 'ad_account', { rate: { limit: 100, perMs: 3_600_000 } });
  await control.setKeyLimit(syncAccount.name, 'platform', { concurrency: null });
  // The contract's again.
  await control.setKeyLimit(syncAccount.name, 'platform', undefined);
}

/** However often an account changes: it is synced once it has been quiet for half a minute, and every five minutes at the latest. */
export function accountChanged(
  client: Pick<JobsClient, 'enqueue'>,
  account: PayloadOf<typeof syncAccount>,
): Promise<Enqueued> {
  const debounce = { key: account.ad_account, quietMs: 30_000, maxMs: 300_000 };
  return client.enqueue(syncAccount, account, { debounce });
}

export const refreshSegments = defineTask({
  name: 'refresh_segments',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), audience: z.string() }),
  output: z.null(),
  debounce: { key: 'payload.audience', quietMs: 10_000, maxMs: 60_000 },
});

/** Once an hour at most: the first one runs, and those that follow within the hour do not. */
export function accountWanted(
  client: Pick<JobsClient, 'enqueue'>,
  account: PayloadOf<typeof syncAccount>,
): Promise<Enqueued> {
  return client.enqueue(syncAccount, account, { uniqueKey: account.ad_account, uniqueForMs: 3_600_000 });
}
