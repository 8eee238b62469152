/** The worker of the intel queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { intelService } from './handlers.js';

await runQueueService(intelService);
