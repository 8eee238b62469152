/** The worker's own timer. A process that wakes up forty times a second to find nothing to do costs a percent of a processor. */

/** How exactly time limits are kept. */
const BUSY_MS = 25;
/** Enough for the watchdog, which asks whether the event loop runs. */
const IDLE_MS = 250;
/** Ticks without work after which it slows down. */
const PATIENCE = 1_000 / BUSY_MS;

export class Ticker {
  private timer: NodeJS.Timeout | undefined;
  private isQuick = true;
  private idleTicks = 0;

  constructor(
    private readonly onTick: () => void,
    private readonly isBusy: () => boolean,
  ) {}

  start(): void {
    this.every(BUSY_MS);
  }

  /** Work begins. */
  wake(): void {
    if (!this.isQuick && this.timer !== undefined) this.every(BUSY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private every(intervalMs: number): void {
    clearInterval(this.timer);
    this.isQuick = intervalMs === BUSY_MS;
    this.idleTicks = 0;
    this.timer = setInterval(() => this.tick(), intervalMs);
  }

  private tick(): void {
    this.onTick();
    if (this.isBusy()) this.idleTicks = 0;
    else if (this.isQuick && ++this.idleTicks >= PATIENCE) this.every(IDLE_MS);
  }
}
