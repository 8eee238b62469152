/** An event's row in the database. */
import { hash } from 'node:crypto';
import { storableJson } from '@stratum/shared';
import {
  eventName,
  identifiersOf,
  type CustomerEvent,
  type EventNote,
  type Identifier,
} from '@stratum/shared/customer-events';
import { isMoney, moneyNotes, PURCHASE, type Fields, type Revenue } from './revenue.js';

/** An event with where it came from. */
export interface IncomingEvent {
  /** `null`: a service of the platform. */
  sourceId: number | null;
  receivedAt: string;
  event: CustomerEvent;
}

export interface EventRow {
  /** As it came. */
  event: CustomerEvent;
  /** The same for the same message of the same source. */
  id: string;
  messageId: string;
  sourceId: number | null;
  type: string;
  name: string;
  /** JSON. */
  properties: string;
  /** JSON. */
  context: string | null;
  occurredAt: string;
  originalTimestamp: string | null;
  receivedAt: string;
  /** The strongest first; at least one. */
  identifiers: Identifier[];
  /** The event's facts about the person. */
  traits: Fields | undefined;
  isPurchase: boolean;
  /** By how much it changes the person's purchases: a repeated order changes nothing. Settled with the other events of the order. */
  purchases: number;
  /** By how much it changes the person's revenue, likewise. */
  revenue: Revenue | undefined;
  /** What was changed or guessed. */
  repairs: readonly EventNote[];
}

const ID_BYTES_HEX = 32;

export function toRow({ sourceId, receivedAt, event }: IncomingEvent): EventRow {
  const name = eventName(event);
  const isPurchase = name === PURCHASE;
  const properties = propertiesOf(event);
  const context = contextOf(event.context);
  const repairs = [...(event.repairs ?? []), ...(isMoney(name) ? moneyNotes(properties) : [])];
  return {
    event,
    id: idOf(sourceId, event.messageId),
    messageId: event.messageId,
    sourceId,
    type: event.type,
    name,
    properties: storableJson(properties),
    context: context === undefined ? null : storableJson(context),
    occurredAt: event.timestamp === undefined ? receivedAt : utc(event.timestamp),
    originalTimestamp: event.originalTimestamp === undefined ? null : utc(event.originalTimestamp),
    receivedAt,
    identifiers: identifiersOf(event),
    traits: traitsOf(event),
    isPurchase,
    purchases: 0,
    revenue: undefined,
    repairs,
  };
}

function idOf(sourceId: number | null, messageId: string): string {
  return hash('sha256', `${sourceId ?? ''}\n${messageId}`, 'hex').slice(0, ID_BYTES_HEX);
}

/** In the one form whose order as text is the order in time. */
function utc(timestamp: string): string {
  return new Date(timestamp).toISOString();
}

/** Fields particular to a type are among the properties, where segments find them. */
function propertiesOf(event: CustomerEvent): Fields {
  switch (event.type) {
    case 'track':
      return event.properties ?? {};
    case 'page':
    case 'screen':
      return {
        ...event.properties,
        ...(event.name ? { name: event.name } : {}),
        ...(event.category ? { category: event.category } : {}),
      };
    case 'identify':
      return withoutEmail(event.traits ?? {});
    case 'group':
      return { ...event.traits, groupId: event.groupId };
    case 'alias':
      return {};
  }
}

/** The address is an identifier: it is kept encrypted, beside its hash, and nowhere else. */
function traitsOf(event: CustomerEvent): Fields | undefined {
  if (event.type === 'group') return { groupId: event.groupId };
  if (event.traits === undefined || event.traits === null) return undefined;
  const traits = withoutEmail(event.traits);
  return Object.keys(traits).length === 0 ? undefined : traits;
}

function contextOf(context: CustomerEvent['context']): Fields | undefined {
  if (context === undefined || context === null) return undefined;
  const { traits } = context;
  if (typeof traits !== 'object' || traits === null) return context;
  return { ...context, traits: withoutEmail({ ...traits }) };
}

function withoutEmail(fields: Fields): Fields {
  const { email: _email, ...rest } = fields;
  return rest;
}
