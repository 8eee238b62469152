/** Takes the schedule back in time, so that what has gone by can be watched. */
import type { ScheduleBook } from './book.js';
import { eachLimited } from '../broker/each-limited.js';

/**
 * Entries that are further on stand at that time again, in milliseconds since 1970. A tick that has run is published once more, under the
 * same id: a worker passes over what has succeeded.
 */
export async function rewindEntries(book: ScheduleBook, to: number): Promise<void> {
  await eachLimited([...book.entries.values()], async (booked) => {
    const { state } = booked;
    if (state.last_tick === null || Date.parse(state.last_tick) <= to) return;
    await book.save(booked, { ...state, last_tick: new Date(to).toISOString(), buffered: [] });
  });
}
