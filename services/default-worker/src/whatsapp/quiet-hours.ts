/** When a tenant's contacts are left in peace. */
import { z } from 'zod';

const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/);
/** `settings.quiet_hours` of a tenant, in its time zone; may go over midnight. */
const quietHoursSchema = z.object({ from: time, until: time });

const MINUTE_MS = 60_000;
const MINUTES_OF_DAY = 24 * 60;

/** Milliseconds until the quiet hours are over; 0 outside of them, and where there are none. Where the clock is changed meanwhile, ask again then. */
export function untilQuietEnds(settings: unknown, timeZone: string, now: Date): number {
  const quiet = quietHoursSchema.safeParse(settings).data;
  if (quiet === undefined) return 0;
  const from = minutesOf(quiet.from);
  const until = minutesOf(quiet.until);
  const local = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(
    now,
  );
  const present = minutesOf(local);
  const isQuiet = from <= until ? present >= from && present < until : present >= from || present < until;
  if (!isQuiet) return 0;
  const minutes = (until - present + MINUTES_OF_DAY) % MINUTES_OF_DAY;
  return minutes * MINUTE_MS - (now.getTime() % MINUTE_MS);
}

function minutesOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
}
