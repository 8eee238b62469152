/** The handlers of the ml queue. Computations run in threads, so that they can be ended and never block the worker's event loop. */
import { handleTask, isolateTask, type TaskHandler } from '@stratum/jobs';
import {
  activeTenants,
  fanOut,
  generateDailyForecasts,
  generateForecast,
  runAllPredictions,
  runPredictions,
} from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import type { Pool } from 'pg';
import type { ThreadData } from './thread-handlers.js';

/** Threads load JavaScript only, so the built module serves where this one runs from its source, too. */
const MODULE = new URL('../dist/thread-handlers.js', import.meta.url);

function createMlHandlers({ pool, data }: { pool: Pool; data: ThreadData }): TaskHandler[] {
  const eachTenant = async (): Promise<{ scope: number; payload: { tenant_id: number } }[]> =>
    (await activeTenants(pool)).map((tenantId) => ({ scope: tenantId, payload: { tenant_id: tenantId } }));
  return [
    isolateTask(generateForecast, { module: MODULE, export: 'generateForecastInThread', data }),
    isolateTask(runPredictions, { module: MODULE, export: 'runPredictionsInThread', data }),
    handleTask(generateDailyForecasts, async (_payload, context) => ({
      enqueued: await fanOut(context, generateForecast, await eachTenant()),
    })),
    handleTask(runAllPredictions, async (_payload, context) => ({
      enqueued: await fanOut(context, runPredictions, await eachTenant()),
    })),
  ];
}

export const mlService: QueueService<never> = {
  queue: 'ml',
  settings: [],
  createHandlers: ({ pool, configuration }) =>
    createMlHandlers({
      pool,
      data: {
        databaseUrl: configuration.DATABASE_URL,
        statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
      },
    }),
};
