/** The example of the guide to durable steps: a campaign that is prepared, published, and looked at a day later. */
import { defineTask, handleTask, type TaskHandler } from '@stratum/jobs';
import { z } from 'zod';

/** The world outside, as the example knows it. */
export interface Campaigns {
  reserveBudget(campaign: string, cents: number): Promise<{ reservation: string }>;
  publish(campaign: string, platform: string): Promise<{ ad: string }>;
  clicks(ad: string): Promise<number>;
}

export const launchCampaign = defineTask({
  name: 'launch_campaign',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), campaign: z.string(), watchMs: z.int() }),
  output: z.object({ clicks: z.int() }),
  retry: { maxRetries: 3, backoff: { kind: 'fixed', delayMs: 10 } },
});

export const launchCampaignHandler = (campaigns: Campaigns): TaskHandler =>
  handleTask(launchCampaign, async ({ campaign, watchMs }, context) => {
    await context.step('reserve budget', () => campaigns.reserveBudget(campaign, 50_000));
    const ads = await context.all([
      () => context.step('publish on meta', () => campaigns.publish(campaign, 'meta')),
      () => context.step('publish on google', () => campaigns.publish(campaign, 'google')),
    ]);
    await context.sleep(watchMs);
    const clicks = await context.step('count clicks', async () => {
      const each = await Promise.all(ads.map(({ ad }) => campaigns.clicks(ad)));
      return each.reduce((sum, own) => sum + own, 0);
    });
    return { clicks };
  });
