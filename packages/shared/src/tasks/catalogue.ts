/** Every task of the platform. */
import type { TaskContract } from '@stratum/jobs';
import { CDP_TASKS } from './cdp.js';
import { DEFAULT_TASKS } from './default.js';
import { INTEL_TASKS } from './intel.js';
import { ML_TASKS } from './ml.js';
import { RULES_TASKS } from './rules.js';
import { SYNC_TASKS } from './sync.js';

export const TASKS: readonly TaskContract[] = Object.freeze([
  ...SYNC_TASKS,
  ...DEFAULT_TASKS,
  ...CDP_TASKS,
  ...ML_TASKS,
  ...RULES_TASKS,
  ...INTEL_TASKS,
]);
