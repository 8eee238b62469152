/** The worker of the default queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { defaultService } from './handlers.js';

await runQueueService(defaultService);
