/** The worker of the cdp queue as a service. */
import { runQueueService } from '@stratum/shared/service';
import { cdpService } from './handlers.js';

await runQueueService(cdpService);
