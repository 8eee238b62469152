/** The handlers of the intel queue. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import { fanOut, fetchCompetitorData, refreshAllCompetitors } from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import { AdLibrary } from './ad-library/ad-library.js';
import { fetchCompetitorDataHandler } from './fetch-competitor-data.js';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import type { IntelDependencies } from './dependencies.js';

export function createIntelHandlers(dependencies: IntelDependencies): TaskHandler[] {
  const { pool } = dependencies;
  return [
    handleTask(fetchCompetitorData, fetchCompetitorDataHandler(dependencies)),
    handleTask(refreshAllCompetitors, async (_payload, context) => {
      const { rows } = await pool.query<{ tenant_id: string; competitor_id: string }>(
        'SELECT tenant_id, competitor_id FROM active_competitors()',
      );
      const items = rows.map(({ tenant_id: tenantId, competitor_id: competitorId }) => ({
        scope: `${tenantId}-${competitorId}`,
        payload: { tenant_id: Number(tenantId), competitor_id: Number(competitorId) },
      }));
      return { enqueued: await fanOut(context, fetchCompetitorData, items) };
    }),
  ];
}

const SETTINGS = [
  'META_BASE_URL',
  'META_AD_LIBRARY_TOKEN',
  'PLATFORM_REQUEST_TIMEOUT',
  'SCANNER_ALLOWED_HOSTS',
] as const;

export const intelService: QueueService<(typeof SETTINGS)[number]> = {
  queue: 'intel',
  settings: SETTINGS,
  createHandlers: ({ pool, configuration }) => {
    const accessToken = configuration.META_AD_LIBRARY_TOKEN;
    return createIntelHandlers({
      pool,
      site: new SafeFetch({ allowedHosts: configuration.SCANNER_ALLOWED_HOSTS }),
      adLibrary:
        accessToken === undefined
          ? undefined
          : new AdLibrary({
              baseUrl: configuration.META_BASE_URL,
              accessToken,
              timeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
            }),
    });
  },
};
