/** The handlers of the cdp queue, and their dependencies. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import {
  activeTenants,
  computeAllCdpFunnels,
  computeAllCdpSegments,
  computeCdpFunnel,
  computeCdpRfm,
  computeCdpSegment,
  fanOut,
  ingestCustomerEvents,
  previewCdpSegment,
  slotOf,
  type ConfigurationKey,
} from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import type { Pool } from 'pg';
import { computeCdpFunnelHandler } from './funnels/compute-cdp-funnel.js';
import { EventWriter } from './ingest/event-writer.js';
import { ingestCustomerEventsHandler } from './ingest/ingest-customer-events.js';
import { startIngestion } from './ingest/start-ingestion.js';
import { computeCdpRfmHandler } from './segments/compute-cdp-rfm.js';
import { computeCdpSegmentHandler } from './segments/compute-cdp-segment.js';
import { previewCdpSegmentHandler } from './segments/preview-cdp-segment.js';

const SETTINGS = ['STRATUM_CREDENTIALS_KEY'] as const satisfies readonly ConfigurationKey[];

export interface CdpDependencies {
  /** Connected as `stratum_cdp_worker`, with time for statements over all profiles. */
  pool: Pool;
}

export function createCdpHandlers({ pool }: CdpDependencies): TaskHandler[] {
  return [
    handleTask(computeCdpSegment, computeCdpSegmentHandler(pool)),
    handleTask(previewCdpSegment, previewCdpSegmentHandler(pool)),
    handleTask(computeCdpRfm, computeCdpRfmHandler(pool)),
    handleTask(computeCdpFunnel, computeCdpFunnelHandler(pool)),
    // Scores first: segments may ask for them. Each tenant's task then starts its segments.
    handleTask(computeAllCdpSegments, async (_payload, context) => {
      const tenants = await activeTenants(pool);
      const slot = slotOf(context);
      const items = tenants.map((tenantId) => ({ scope: tenantId, payload: { tenant_id: tenantId, slot } }));
      return { enqueued: await fanOut(context, computeCdpRfm, items) };
    }),
    handleTask(computeAllCdpFunnels, async (_payload, context) => {
      const { rows } = await pool.query<{ tenant_id: string; funnel_id: string }>(
        'SELECT tenant_id, funnel_id FROM active_funnels()',
      );
      const items = rows.map(({ tenant_id: tenantId, funnel_id: funnelId }) => ({
        scope: funnelId,
        payload: { funnel_id: Number(funnelId), tenant_id: Number(tenantId) },
      }));
      return { enqueued: await fanOut(context, computeCdpFunnel, items) };
    }),
  ];
}

export const cdpService: QueueService<(typeof SETTINGS)[number]> = {
  queue: 'cdp',
  settings: SETTINGS,
  createHandlers: ({ pool, configuration }) => [
    ...createCdpHandlers({ pool }),
    handleTask(
      ingestCustomerEvents,
      ingestCustomerEventsHandler(new EventWriter({ pool, keys: configuration.STRATUM_CREDENTIALS_KEY })),
    ),
  ],
  startBeside: startIngestion,
};
