/** Segment's own events pass through, read as the API reads them. Segment has corrected their time already. */
import { readCustomerEvent, type CustomerEvent } from '@stratum/shared/customer-events';
import { MalformedWebhookError, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';

const TYPES: ReadonlySet<string> = new Set(['identify', 'track', 'page', 'screen', 'group', 'alias']);

/** @throws MalformedWebhookError where the event has no meaning */
export function readSegment({ type, body, receivedAt }: IncomingEvent): CustomerEvent | undefined {
  if (!TYPES.has(type)) return undefined;
  const raw = { ...parseJson(body, z.looseObject({})), sentAt: undefined };
  const { event, problems } = readCustomerEvent(raw, { receivedAt: receivedAt.getTime() });
  if (event !== undefined) return event;
  const reasons = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new MalformedWebhookError(`The body is not as expected: ${reasons}.`);
}
