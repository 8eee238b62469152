/**
 * What an entry of the code keeps beside its definition: its pause, and since when it is active. A scheduler of another version, which does
 * not declare the entry, removes it when it leads; the next leader that declares it gives it its place back.
 */
import { z } from 'zod';
import type { Logger } from '../telemetry/logger.js';
import type { ScheduleBucket } from './bucket.js';
import type { StoredEntry } from './entry.js';

const placeSchema = z.object({
  cron: z.string().optional(),
  every_ms: z.number().optional(),
  time_zone: z.string(),
  active_since: z.string(),
  paused: z.object({ at: z.string(), reason: z.string() }).nullable(),
});
export type EntryPlace = z.output<typeof placeSchema>;

/** A place is kept this long after its entry was removed. */
const KEPT_SECONDS = 30 * 86_400;

export class KeptPlaces {
  private readonly places = new Map<string, EntryPlace>();

  constructor(
    private readonly bucket: ScheduleBucket,
    private readonly logger: Logger,
  ) {}

  async load(): Promise<void> {
    for await (const { key, value } of this.bucket.list('place.*')) {
      const place = placeSchema.safeParse(value).data;
      if (place !== undefined) this.places.set(key.slice('place.'.length), place);
    }
  }

  of(name: string): EntryPlace | undefined {
    return this.places.get(name);
  }

  /** Keeps the place of an entry in the background, once it has been paused: one that never was has nothing to lose but its start. */
  note(entry: StoredEntry): void {
    if (entry.source !== 'code' || (entry.paused === null && !this.places.has(entry.name))) return;
    const place = placeSchema.parse(entry);
    if (JSON.stringify(this.places.get(entry.name)) === JSON.stringify(place)) return;
    this.places.set(entry.name, place);
    this.store(entry.name, place, {});
  }

  /** The code declares the entry no more, at least in this version. */
  removed(name: string): void {
    const place = this.places.get(name);
    if (place !== undefined) this.store(name, place, { ttlSeconds: KEPT_SECONDS });
  }

  private store(name: string, place: EntryPlace, options: { ttlSeconds?: number }): void {
    this.bucket.put(`place.${name}`, place, options).catch((error: unknown) => {
      this.logger.warn({ err: error, entry: name }, 'the place of a schedule entry could not be kept');
    });
  }
}
