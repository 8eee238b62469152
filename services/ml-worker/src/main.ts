/** The worker of the ml queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { mlService } from './handlers.js';

await runQueueService(mlService);
