/** The worker of the sync queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { syncService } from './handlers.js';

await runQueueService(syncService);
