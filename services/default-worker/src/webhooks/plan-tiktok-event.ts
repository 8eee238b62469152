/** TikTok: a user who takes our access back is an alert; what names an advertiser leads to a sync. */
import { openAlert } from '@stratum/shared';
import { jsonOrUndefined, parseJson, textAt } from '@stratum/shared/webhooks';
import { z } from 'zod';
import { planSync } from './plan-sync.js';
import { NOTHING, type IncomingEvent, type Plan } from './plan.js';

const eventSchema = z.looseObject({ event: z.string(), content: z.unknown().optional() });
const REMOVED = 'authorization.removed';

export function planTiktokEvent(event: IncomingEvent): Plan {
  const { event: name, content } = parseJson(event.body, eventSchema);
  if (name === REMOVED) {
    return {
      effect: 'alerts: access removed',
      tasks: [],
      change: async (client) => {
        await openAlert(client, {
          tenantId: event.tenantId,
          key: `tiktok-access/${event.endpointId}`,
          kind: 'platform_access_removed',
          severity: 'critical',
          title: 'A user has revoked access to TikTok',
          message: 'The campaigns of that user are no longer synced. Connect the account again.',
          at: event.receivedAt,
        });
        return 'alerted: access removed';
      },
    };
  }
  if (textAt(contentOf(content), 'advertiser_id') === undefined) return NOTHING;
  return { effect: 'syncs the campaigns of TikTok', tasks: [planSync(event, 'tiktok')] };
}

/** TikTok sends the content as text that holds JSON. */
function contentOf(content: unknown): unknown {
  return typeof content === 'string' ? jsonOrUndefined(content) : content;
}
