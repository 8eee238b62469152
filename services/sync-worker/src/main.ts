/** The worker of the sync queue as a service. */
import { runQueueService } from '@stratum/shared';
import { syncService } from './handlers.js';

await runQueueService(syncService);
