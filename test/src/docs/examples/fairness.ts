/** Shares of tenants by their plan. */
import { createWorker, type Worker, type WorkerOptions } from '@stratum/jobs';

export type Plan = 'free' | 'business';

export function startWeightedWorker(options: WorkerOptions, plans: ReadonlyMap<string, Plan>): Worker {
  const worker = createWorker({
    ...options,
    tenantWeight: (tenant) => (tenant !== undefined && plans.get(tenant) === 'business' ? 4 : 1),
  });
  worker.start();
  return worker;
}
