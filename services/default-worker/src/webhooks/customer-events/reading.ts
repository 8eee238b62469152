/** The facts about a customer that an event carries. */
export interface Reading {
  /** What happened, in the words of Segment's specification where it has some. */
  name: string;
  /** RFC 3339. */
  at: string;
  /** What it happens to once: other bodies that report the same are the same event. */
  subject?: string | undefined;
  userId?: string | undefined;
  anonymousId?: string | undefined;
  /** Other ids by which later events may name the same customer, such as that of the order. */
  alsoKnownAs?: readonly (string | undefined)[];
  email?: string | undefined;
  properties: Readonly<Record<string, unknown>>;
  /** What was not understood, for the person who set the endpoint up. */
  note?: string | undefined;
}

/** The event says of no customer whom it is about. */
export const NOBODY = Symbol('nobody');
/** Somebody tried the shop or the payment out: no money has moved. */
export const TEST = Symbol('test');
/** `undefined`: it says nothing about customers. */
export type ReadingResult = Reading | readonly Reading[] | typeof NOBODY | typeof TEST | undefined;

/** The first text that is not empty. */
export function firstOf(...texts: readonly (string | null | undefined)[]): string | undefined {
  return texts.map((text) => text?.trim()).find((text) => text !== undefined && text !== '');
}

const MAX_ID = 200;

/** The id of a guest who is known by an address alone. */
export function guestId(email: string | undefined): string | undefined {
  return email === undefined ? undefined : `email-${email.toLowerCase()}`.slice(0, MAX_ID);
}
