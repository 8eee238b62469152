/** Rewinds the schedule, so that past ticks can be watched. */
import type { ScheduleBook } from './book.js';
import { eachLimited } from '../broker/each-limited.js';

/**
 * Moves entries that are ahead of this time (milliseconds since 1970) back to it. A tick that has run is published again under the same
 * id, and workers skip tasks that have succeeded.
 */
export async function rewindEntries(book: ScheduleBook, to: number): Promise<void> {
  await eachLimited([...book.entries.values()], async (booked) => {
    const { state } = booked;
    if (state.last_tick === null || Date.parse(state.last_tick) <= to) return;
    await book.save(booked, { ...state, last_tick: new Date(to).toISOString(), buffered: [] });
    // Ticks after it may have been published.
    booked.isOwn = false;
  });
}
