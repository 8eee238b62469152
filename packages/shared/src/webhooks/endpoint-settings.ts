/** Settings of an endpoint: its source's own, and the tasks that its events start. */
import { findUnstorable } from '@stratum/jobs/internal';
import { z } from 'zod';
import { TENANT_TASKS } from '../tasks/catalogue.js';
import { SOURCES, type SourceName } from './sources.js';

const followingTaskSchema = z
  .strictObject({
    on: z.string().min(1).max(100).describe('An event type, as deliveries show it; `*` matches all.'),
    task: z.string().describe('One of the tasks that GET /v1/tasks lists.'),
    payload: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('The same for every event; the tenant is added.'),
  })
  .superRefine(({ task, payload }, context) => {
    const contract = TENANT_TASKS.find(({ name }) => name === task);
    if (contract === undefined) {
      const names = TENANT_TASKS.map(({ name }) => name).join(', ');
      context.addIssue({ code: 'custom', path: ['task'], message: `must be one of: ${names}` });
      return;
    }
    const checked = contract.input.safeParse({ ...payload, tenant_id: 1 });
    for (const { path, message } of checked.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: ['payload', ...path], message });
  });
export type FollowingTask = z.output<typeof followingTaskSchema>;

const MAX_TASKS = 20;
export const followingTasksSchema = z.array(followingTaskSchema).max(MAX_TASKS).default([]);

/** An endpoint that cannot be made or changed as it was asked for. */
export class WebhookEndpointError extends Error {
  readonly code = 'invalid_webhook_endpoint';

  constructor(
    /** `secret`, `settings.signed`, … */
    readonly field: string,
    /** The problem. */
    readonly reason: string,
  ) {
    super(`${field}: ${reason}`);
    this.name = 'WebhookEndpointError';
  }
}

/** Completes settings with defaults. @throws WebhookEndpointError naming the field */
export function checkSettings(
  source: SourceName,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const unstorable = findUnstorable(given);
  if (unstorable !== undefined)
    throw new WebhookEndpointError(['settings', ...unstorable.path].join('.'), unstorable.problem);
  const { tasks, ...own } = given;
  return {
    ...z.record(z.string(), z.unknown()).parse(parse(SOURCES[source].settings, own, 'settings')),
    tasks: parse(followingTasksSchema, tasks, 'settings.tasks'),
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, field: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WebhookEndpointError([field, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is not valid');
}
