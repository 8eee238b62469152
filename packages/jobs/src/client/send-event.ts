/** Sends an event to the runs of a tenant that wait for it: stores it, then wakes them. */
import { eventContract, eventTopic, parseEvent, type EventContract } from '../events/define-event.js';
import { JobsError } from '../errors.js';
import { bodyOf } from '../message/compose-task.js';
import type { Resources } from '../resources/resources.js';
import { eventKept } from '../values/bounds.js';
import { newId } from '../values/new-id.js';
import { requireTenant, requireToken } from '../wire/names.js';

export interface SendEventOptions {
  /** Whose runs receive it. Default: those of no tenant. */
  tenant?: string | number;
  /** Runs that wait with the same key receive it, such as the id of what it is about; up to 1,000 characters. Default: those without a key. */
  key?: string;
  /** One token. Two events of one id, name and key are one event for as long as the first is kept. Default: generated. */
  id?: string;
  /** For runs that begin to wait later: how long the event is kept, in milliseconds, from a minute to 30 days. Default 86,400,000, a day. */
  keepForMs?: number;
}

export interface SentEvent {
  id: string;
  /** An event of this id is kept already; nothing new was stored. */
  duplicate: boolean;
  /** Runs that slept in a wait for it, and go on. */
  woken: number;
}

const MAX_BYTES = 64 * 1024;
const KEPT_MS = 86_400_000;

export async function sendEvent(
  resources: Pick<Resources, 'eventLog' | 'maxPayloadBytes'>,
  event: EventContract | string,
  payload: unknown,
  { tenant, key, id, keepForMs }: SendEventOptions = {},
): Promise<SentEvent> {
  const contract = eventContract(event);
  parseEvent(contract, payload);
  const topic = eventTopic(tenant === undefined ? undefined : requireTenant(tenant), contract.name, key);
  const own = id === undefined ? newId() : requireToken(id, 'id');
  const ttlMs = eventKept.require('keepForMs', keepForMs ?? KEPT_MS);
  const limit = Math.min(MAX_BYTES, resources.maxPayloadBytes);
  if (Buffer.byteLength(bodyOf(contract.name, payload ?? null)) > limit)
    throw new JobsError(
      'payload_too_large',
      `The payload of event "${contract.name}" is larger than the limit of ${limit} bytes. Send an id, and load the data in the run.`,
      { details: { event: contract.name, limit } },
    );
  const isNew = await resources.eventLog.store(topic, { id: own, payload }, ttlMs);
  // Also of one that was sent before: its sender may have died in between.
  const { woken } = await resources.eventLog.wakeAll(topic);
  return { id: own, duplicate: !isNew, woken };
}
