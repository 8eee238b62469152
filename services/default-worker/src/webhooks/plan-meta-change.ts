/** A change of an ad account leads to a sync of the tenant's Meta campaigns: the change itself says too little to be applied. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import { planSync } from './plan-sync.js';
import { NOTHING, type IncomingEvent, type Plan } from './plan.js';

const changeSchema = z.object({ object: z.string(), entry: z.looseObject({ id: idSchema.optional() }) });

export function planMetaChange(event: IncomingEvent): Plan {
  const { object } = parseJson(event.body, changeSchema);
  if (object !== 'ad_account') return NOTHING;
  return { effect: 'syncs the campaigns of Meta', tasks: [planSync(event, 'meta')] };
}
