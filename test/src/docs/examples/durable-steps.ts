/** The examples of the guide to durable steps: a campaign that is prepared, published, and looked at a day later; and one that waits for a person. */
import { defineEvent, defineTask, handleTask, TaskFailedError, type TaskHandler } from '@stratum/jobs';
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

export const campaignApproved = defineEvent({
  name: 'campaign_approved',
  payload: z.object({ by: z.string(), budgetCents: z.int() }),
});

const approveCampaign = defineTask({
  name: 'approve_campaign',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), campaign: z.string() }),
  output: z.object({ approvedBy: z.string().nullable() }),
});

export const approveCampaignHandler = (campaigns: Campaigns): TaskHandler =>
  handleTask(approveCampaign, async ({ campaign }, context) => {
    const answer = await context.waitForEvent(campaignApproved, {
      key: campaign,
      timeoutMs: 7 * 86_400_000,
    });
    if (answer.state === 'timed_out') return { approvedBy: null };
    const { by, budgetCents } = answer.payload;
    await context.step('reserve budget', () => campaigns.reserveBudget(campaign, budgetCents));
    return { approvedBy: by };
  });

const publishAd = defineTask({
  name: 'publish_ad',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), campaign: z.string(), platform: z.string() }),
  output: z.object({ ad: z.string() }),
  retry: { maxRetries: 3, backoff: { kind: 'fixed', delayMs: 10 } },
});

export const publishAdHandler = (campaigns: Campaigns): TaskHandler =>
  handleTask(publishAd, ({ campaign, platform }) => campaigns.publish(campaign, platform));

export const rollOut = defineTask({
  name: 'roll_out',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), campaign: z.string(), platforms: z.array(z.string()) }),
  output: z.object({ ads: z.array(z.string()), approvedBy: z.string().nullable() }),
});

export const rollOutHandler = handleTask(rollOut, async ({ tenant_id, campaign, platforms }, context) => {
  const { approvedBy } = await context.call(approveCampaign, { tenant_id, campaign });
  if (approvedBy === null) return { ads: [], approvedBy };
  const ads = await context.all(
    platforms.map((platform) => async () => {
      try {
        return (await context.call(publishAd, { tenant_id, campaign, platform })).ad;
      } catch (error) {
        if (error instanceof TaskFailedError) return `${platform}: ${error.record.error?.message}`;
        throw error;
      }
    }),
  );
  return { ads, approvedBy };
});
