/** The worker of the rules queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { rulesService } from './handlers.js';

await runQueueService(rulesService);
