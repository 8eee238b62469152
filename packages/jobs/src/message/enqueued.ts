/** What a producer hears of a task that it has enqueued. */
export interface Enqueued {
  id: string;
  /** The same id was already accepted within the last two minutes; nothing new was stored. */
  duplicate: boolean;
}
