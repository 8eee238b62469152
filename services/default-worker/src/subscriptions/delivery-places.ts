/**
 * How many deliveries a process makes at once. They never take all of a worker's slots, so that receivers that hang hold up no other job;
 * and those to slow receivers never take all of the deliveries' places, so that they hold up no quick receiver either.
 */

/** The place of one task, which it may or may not take. */
export interface TaskPlace {
  /** For a receiver that is, or is not, slow; false when there is none for it. */
  take(isSlow: boolean): boolean;
  /** Gives back what was taken. */
  leave(): void;
}

export class DeliveryPlaces {
  private taken = 0;
  private slow = 0;
  private readonly maxSlow: number;

  constructor(private readonly max: number) {
    this.maxSlow = Math.max(1, Math.floor(max / 2));
  }

  forTask(): TaskPlace {
    let held: { isSlow: boolean } | undefined;
    return {
      take: (isSlow) => {
        if (this.taken >= this.max || (isSlow && this.slow >= this.maxSlow)) return false;
        held = { isSlow };
        this.count(isSlow, 1);
        return true;
      },
      leave: () => {
        if (held !== undefined) this.count(held.isSlow, -1);
        held = undefined;
      },
    };
  }

  private count(isSlow: boolean, change: 1 | -1): void {
    this.taken += change;
    if (isSlow) this.slow += change;
  }
}
