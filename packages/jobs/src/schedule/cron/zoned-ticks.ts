/**
 * The instants at which a cron expression is due in a time zone. When clocks change, a fixed hour runs once: a time in the skipped hour
 * right after it, a time in the repeated hour the first time. An entry whose hour is a wild card follows the clock: nothing in the skipped
 * hour, and every time that the clock shows in the repeated one.
 */
import type { CronFields } from './expression.js';
import { WallTimes } from './wall-times.js';
import type { Zone } from './zone.js';

/** Clocks are put back by less than this. */
const MAX_PUT_BACK_MS = 26 * 3_600_000;

export class ZonedTicks {
  private readonly times: WallTimes;
  private readonly followsClock: boolean;

  constructor(
    fields: CronFields,
    private readonly zone: Zone,
  ) {
    this.times = new WallTimes(fields);
    this.followsClock = fields.anyHour;
  }

  /** The first tick after an instant; both in milliseconds since 1970. `undefined` if there is none within nine years. */
  after(instant: number): number | undefined {
    let offset = this.zone.offsetAt(instant);
    let wall = this.times.after(this.wallRunAt(instant, offset));
    for (let since = instant; wall !== undefined;) {
      const change = this.zone.changeBetween(since, wall - offset);
      if (change === undefined) return wall - offset;
      const firstWall = change.at + change.after;
      if (this.followsClock) wall = this.times.after(firstWall - 1);
      else if (wall < firstWall) return change.at;
      since = change.at;
      offset = change.after;
    }
    return undefined;
  }

  /** The latest time on the clock up to this instant whose run is over: in a repeated hour, the end of its first pass for fixed hours. */
  private wallRunAt(instant: number, offset: number): number {
    const wall = instant + offset;
    if (this.followsClock) return wall;
    const change = this.zone.changeBetween(instant - MAX_PUT_BACK_MS, instant);
    return change === undefined ? wall : Math.max(wall, change.at + change.before - 1);
  }
}
