/** The service of each queue. Loaded one by one: together they are most of what the command would load. */
import type { QueueName, QueueService } from '@stratum/shared';

export const WORKER_SERVICES: Readonly<Record<QueueName, () => Promise<QueueService>>> = {
  default: async () => (await import('@stratum/default-worker')).defaultService,
  sync: async () => (await import('@stratum/sync-worker')).syncService,
  rules: async () => (await import('@stratum/rules-worker')).rulesService,
  intel: async () => (await import('@stratum/intel-worker')).intelService,
  ml: async () => (await import('@stratum/ml-worker')).mlService,
  cdp: async () => (await import('@stratum/cdp-worker')).cdpService,
};
