/** Segment's own events pass through as they are. */
import { customerEventSchema, type CustomerEvent } from '@stratum/shared';
import { parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';

const TYPES: ReadonlySet<string> = new Set(['identify', 'track', 'page', 'screen', 'group', 'alias']);

export function readSegment({ type, body, receivedAt }: IncomingEvent): CustomerEvent | undefined {
  if (!TYPES.has(type)) return undefined;
  const given = z.looseObject({ timestamp: z.string().optional(), originalTimestamp: z.string().optional() });
  const event = parseJson(body, given);
  const timestamp = event.timestamp ?? event.originalTimestamp ?? receivedAt.toISOString();
  // Segment writes null where there is nothing.
  const present = Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null));
  return parseJson(JSON.stringify({ ...present, timestamp }), customerEventSchema);
}
