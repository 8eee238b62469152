/** An event of a customer, in Segment's format (https://segment.com/docs/connections/spec/common/), as it travels from the API to the writer. */
import { z } from 'zod';
import { emailOf } from './email.js';

export const EVENT_TYPES = ['identify', 'track', 'page', 'screen', 'group', 'alias'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Longer ids and names identify nothing, and would not fit into an index. */
export const MAX_ID = 255;
const id = z
  .string()
  .trim()
  .min(1)
  .max(MAX_ID)
  // A text of the database cannot hold it.
  .refine((value) => !value.includes('\0'), 'holds a NUL character');
/** Segment's documentation says texts; many senders send numbers. */
const looseId = z.union([id, z.number().transform(String)]);
const fields = z.looseObject({});

/** What was changed, guessed or refused of an event, by its field. */
export const eventNoteSchema = z.object({
  field: z.string().describe('Field name, or `(event)` for the whole event.'),
  message: z.string(),
});
export type EventNote = z.output<typeof eventNoteSchema>;

const shape = z.object({
  type: z.enum(EVENT_TYPES),
  /** The sender's own id of the event: the same id from the same source is stored once. */
  messageId: looseId,
  /** Name of the action; of `track`. */
  event: id.nullish(),
  /** Of `page` and `screen`. */
  name: z.string().nullish(),
  category: z.string().nullish(),
  userId: looseId.nullish(),
  anonymousId: looseId.nullish(),
  /** Of `alias`: who the user was before. */
  previousId: looseId.nullish(),
  /** Of `group`. */
  groupId: looseId.nullish(),
  traits: fields.nullish(),
  properties: fields.nullish(),
  context: fields.nullish(),
  /** When it happened. Default: when it was received. */
  timestamp: z.iso.datetime({ offset: true }).optional(),
  /** The sender's own time, where its clock was wrong. */
  originalTimestamp: z.iso.datetime({ offset: true }).optional(),
  /** What was changed or guessed when it was read. */
  repairs: z.array(eventNoteSchema).optional(),
});
export type CustomerEvent = z.output<typeof shape>;

/** Required fields of each type besides an identifier. */
const NEEDED: Readonly<Partial<Record<EventType, 'event' | 'groupId' | 'previousId'>>> = {
  track: 'event',
  group: 'groupId',
  alias: 'previousId',
};

export const customerEventSchema = shape.check(({ value, issues }) => {
  const missing = (field: string, message: string): void => {
    issues.push({ code: 'custom', path: [field], message, input: value });
  };
  const needed = NEEDED[value.type];
  if (needed !== undefined && isAbsent(value[needed]))
    missing(needed, `is needed for an event of the type "${value.type}"`);
  if (value.type === 'alias' && isAbsent(value.userId)) missing('userId', 'is needed for an alias');
  else if (isAbsent(value.userId) && isAbsent(value.anonymousId) && emailOf(value) === undefined)
    missing('userId', 'is needed, or an anonymousId or the address of the person in traits.email');
});

function isAbsent(value: string | null | undefined): boolean {
  return value === undefined || value === null;
}

const NAMES: Readonly<Record<Exclude<EventType, 'track'>, string>> = {
  page: 'Page Viewed',
  screen: 'Screen Viewed',
  identify: 'User Identified',
  group: 'Group Joined',
  alias: 'User Aliased',
};

/** The name under which segments and funnels find it. */
export function eventName({ type, event }: Pick<CustomerEvent, 'type' | 'event'>): string {
  return type === 'track' ? (event ?? '') : NAMES[type];
}
