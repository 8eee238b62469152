/** The six queues of the platform, and their shares of a worker that serves several. */
import type { QueueOptions } from '@stratum/jobs';

export const QUEUES = [
  { name: 'default', weight: 'normal' },
  { name: 'sync', weight: 'high' },
  { name: 'rules', weight: 'high' },
  { name: 'intel', weight: 'low' },
  { name: 'ml', weight: 'normal' },
  { name: 'cdp', weight: 'normal' },
] as const satisfies readonly QueueOptions[];

export type QueueName = (typeof QUEUES)[number]['name'];
