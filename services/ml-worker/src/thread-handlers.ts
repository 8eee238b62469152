/** Handlers that run in the threads of the ml worker. Each thread has a small pool of connections of its own. */
import type { TaskContext } from '@stratum/jobs';
import { openDatabase, roleOf, tickTime, type generateForecast, type runPredictions } from '@stratum/shared';
import type { Pool } from 'pg';
import { z } from 'zod';
import { forecastTenant } from './forecast/forecast-tenant.js';
import { loadModels } from './forecast/mstl.js';
import { predictTenant } from './predictions/predict-tenant.js';

const threadDataSchema = z.object({ databaseUrl: z.string(), statementTimeoutMs: z.number() });
export type ThreadData = z.output<typeof threadDataSchema>;

const pools = new Map<string, Pool>();

export async function generateForecastInThread(
  payload: z.output<typeof generateForecast.input>,
  context: TaskContext,
  data: unknown,
): Promise<z.output<typeof generateForecast.output>> {
  await loadModels();
  return forecastTenant(poolFor(data), {
    tenantId: payload.tenant_id,
    campaignIds: payload.campaign_ids,
    at: tickTime(context),
    signal: context.signal,
    onProgress: context.progress.bind(context),
  });
}

export async function runPredictionsInThread(
  payload: z.output<typeof runPredictions.input>,
  context: TaskContext,
  data: unknown,
): Promise<z.output<typeof runPredictions.output>> {
  await loadModels();
  return predictTenant(poolFor(data), {
    tenantId: payload.tenant_id,
    at: tickTime(context),
    signal: context.signal,
  });
}

/** Kept as long as the thread is: opening a connection for each task would cost more than most tasks. */
function poolFor(data: unknown): Pool {
  const { databaseUrl, statementTimeoutMs } = threadDataSchema.parse(data);
  let pool = pools.get(databaseUrl);
  if (pool === undefined) {
    pool = openDatabase({
      url: databaseUrl,
      name: 'ml-worker',
      role: roleOf('ml-worker'),
      poolSize: 2,
      statementTimeoutMs,
    });
    pools.set(databaseUrl, pool);
  }
  return pool;
}
