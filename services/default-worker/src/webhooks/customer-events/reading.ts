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
  email?: string | undefined;
  properties: Readonly<Record<string, unknown>>;
}

/** The event says of no customer whom it is about. */
export const NOBODY = Symbol('nobody');
export type ReadingResult = Reading | typeof NOBODY | undefined;
