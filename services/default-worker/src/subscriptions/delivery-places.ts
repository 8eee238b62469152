/**
 * How many deliveries a process makes at once. They never take all of a worker's slots, so that receivers that hang hold up no other job;
 * and those to slow receivers never take all of the deliveries', so that they hold up no quick receiver either.
 */

export interface Place {
  /** Whether a slow receiver may have it. */
  admit(slow: boolean): boolean;
  leave(): void;
}

export class DeliveryPlaces {
  private taken = 0;
  private slow = 0;
  private readonly maxSlow: number;

  constructor(private readonly max: number) {
    this.maxSlow = Math.max(1, Math.floor(max / 2));
  }

  /** `undefined`: all are taken. */
  enter(): Place | undefined {
    if (this.taken >= this.max) return undefined;
    this.taken++;
    let isSlow = false;
    return {
      admit: (slow) => {
        if (!slow) return true;
        if (this.slow >= this.maxSlow) return false;
        isSlow = true;
        this.slow++;
        return true;
      },
      leave: () => {
        this.taken--;
        if (isSlow) this.slow--;
      },
    };
  }
}
