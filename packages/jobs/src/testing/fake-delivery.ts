/** A delivery without a broker. */
import { headers as newHeaders, type MsgHdrs } from '@nats-io/nats-core';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import {
  formatScheduledBy,
  formatWorkflowPointer,
  readTaskHeaders,
  TaskHeader,
  type ScheduledBy,
} from '../wire/headers.js';
import type { Priority, TaskSubject } from '../wire/names.js';
import type { Delivery } from '../worker/delivery.js';

export interface FakeDeliveryOptions {
  id: string;
  task: string;
  queue: string;
  tenant: string | undefined;
  priority: Priority;
  retries: number;
  snoozes: number;
  unreachableSince: number | undefined;
  deliveries: number;
  maxRetries: number | undefined;
  scheduledBy: ScheduledBy | undefined;
  enqueuedAt: Date;
  /** Position in a workflow. */
  isStep: boolean;
  payload: unknown;
}

export function fakeDelivery(options: FakeDeliveryOptions): Delivery {
  const { id, task, queue, tenant, priority, enqueuedAt } = options;
  const subject: TaskSubject = { queue, priority, tenant, task, id };
  const headers = newHeaders();
  headers.set(TaskHeader.Retries, String(options.retries));
  headers.set(TaskHeader.Snoozes, String(options.snoozes));
  headers.set(TaskHeader.EnqueuedAt, enqueuedAt.toISOString());
  if (options.unreachableSince !== undefined)
    headers.set(TaskHeader.UnreachableSince, new Date(options.unreachableSince).toISOString());
  if (options.maxRetries !== undefined) headers.set(TaskHeader.MaxRetries, String(options.maxRetries));
  if (options.scheduledBy !== undefined)
    headers.set(TaskHeader.ScheduledBy, formatScheduledBy(options.scheduledBy));
  if (options.isStep) headers.set(TaskHeader.Workflow, formatWorkflowPointer({ workflow: 'test', node: 1 }));
  return {
    subject,
    headers: readTaskHeaders(headers),
    message: fakeMessage(options, headers),
    deliveries: options.deliveries,
    enqueuedAt: enqueuedAt.toISOString(),
    readyAt: enqueuedAt.getTime(),
  };
}

function fakeMessage(
  { payload, deliveries, enqueuedAt }: FakeDeliveryOptions,
  headers: MsgHdrs,
): PulledMessage {
  const body = JSON.stringify(payload);
  return {
    subject: 'test',
    data: Buffer.from(body),
    headers,
    deliveries,
    stream: 'test',
    streamSequence: 1,
    reply: 'test',
    storedAt: enqueuedAt.getTime(),
    json: () => JSON.parse(body),
    ack: nothing,
    nak: nothing,
    term: nothing,
    working: nothing,
    release: nothing,
  };
}

function nothing(): void {}
