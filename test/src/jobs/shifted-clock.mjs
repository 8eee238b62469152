// Imported into a process before its program: its wall clock is wrong by CLOCK_SHIFT_MS, and jumps by an hour at each SIGUSR2. The
// monotonic clock goes on as ever, as on a machine whose time is set. A program may import it, too, before everything else.
const RealDate = Date;
let shiftMs = Number(process.env.CLOCK_SHIFT_MS);
let jumpMs = 3_600_000;
process.on('SIGUSR2', () => {
  shiftMs += jumpMs;
  jumpMs *= -2;
});

/** Sets the clock. */
export function shiftBy(milliseconds) {
  shiftMs += milliseconds;
}

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + shiftMs);
    else super(...parts);
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
};
