/** Which planner sees to which sender; and the tasks that an endpoint's own settings name. */
import { TENANT_TASKS } from '@stratum/shared';
import { followingTasksSchema, MalformedWebhookError } from '@stratum/shared/webhooks';
import { planCustomerEvent } from './customer-events/plan-customer-event.js';
import { planMetaChange } from './plan-meta-change.js';
import { planPrivacyRequest } from './plan-privacy-request.js';
import { planTiktokEvent } from './plan-tiktok-event.js';
import { planWhatsappEvent } from './plan-whatsapp-event.js';
import { NOTHING, type IncomingEvent, type Plan, type PlannedTask } from './plan.js';

/** @throws MalformedWebhookError when the event is not of the form that its type has, or the settings are not valid */
export function planEvent(event: IncomingEvent): Plan {
  const plan = planOfSource(event);
  const own = ownTasks(event);
  if (own.length === 0) return plan;
  const named = `starts ${own.map(({ contract }) => contract.name).join(', ')}`;
  return {
    ...plan,
    effect: plan.effect === undefined ? named : `${plan.effect}; ${named}`,
    tasks: [...plan.tasks, ...own],
  };
}

function planOfSource(event: IncomingEvent): Plan {
  switch (event.source) {
    case 'meta':
      return planMetaChange(event);
    case 'whatsapp':
      return planWhatsappEvent(event);
    case 'tiktok':
      return planTiktokEvent(event);
    case 'shopify':
    case 'hubspot':
      return planPrivacyRequest(event) ?? planCustomerEvent(event);
    case 'stripe':
    case 'segment':
      return planCustomerEvent(event);
    case 'github':
    case 'standard':
    case 'generic':
      return NOTHING;
  }
}

function ownTasks({ settings, type, tenantId }: IncomingEvent): PlannedTask[] {
  const { data: following, error } = followingTasksSchema.safeParse(settings['tasks']);
  if (following === undefined) {
    const [issue] = error.issues;
    throw new MalformedWebhookError(
      `The settings of the endpoint are not valid: tasks.${issue?.path.join('.')}: ${issue?.message}.`,
    );
  }
  return following.flatMap(({ on, task, payload }) => {
    const contract = TENANT_TASKS.find(({ name }) => name === task);
    const applies = on === '*' || on === type;
    return applies && contract !== undefined
      ? [{ contract, payload: { ...payload, tenant_id: tenantId } }]
      : [];
  });
}
