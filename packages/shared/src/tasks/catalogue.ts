/** Every task of the platform. */
import type { TaskContract } from '@stratum/jobs';
import { syncAllCampaigns, syncCampaignData } from './sync.js';

export const TASKS: readonly TaskContract[] = Object.freeze([syncCampaignData, syncAllCampaigns]);
