/** How fast queues move: two looks at the broker's own counters, a while apart. */
import type { JobsClient, QueueDepth } from '@stratum/jobs';

export interface Rates {
  over_seconds: number;
  started_per_second: number;
  finished_per_second: number;
}

interface Look {
  at: number;
  depths: ReadonlyMap<string, QueueDepth>;
}

const LOOK_EVERY_MS = 10_000;
const KEPT_LOOKS = 7;

export class QueueRates {
  private readonly looks: Look[] = [];
  private readonly timer: NodeJS.Timeout;
  private looking: Promise<void>;

  constructor(
    private readonly client: Pick<JobsClient, 'queues'>,
    private readonly onFailure: (error: unknown) => void,
    everyMs: number = LOOK_EVERY_MS,
  ) {
    this.looking = this.look();
    this.timer = setInterval(() => {
      this.looking = this.look();
    }, everyMs);
  }

  /** Over the last minute; `null` until there are two looks. */
  of(queue: string): Rates | null {
    const [first, last] = [this.looks[0], this.looks.at(-1)];
    const [before, now] = [first?.depths.get(queue), last?.depths.get(queue)];
    if (first === undefined || last === undefined || before === undefined || now === undefined) return null;
    const seconds = (last.at - first.at) / 1000;
    if (seconds <= 0) return null;
    const perSecond = (from: number, to: number): number =>
      Math.max(0, Math.round(((to - from) / seconds) * 100) / 100);
    return {
      over_seconds: Math.round(seconds),
      started_per_second: perSecond(before.delivered, now.delivered),
      finished_per_second: perSecond(before.acknowledged, now.acknowledged),
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      const depths = await this.client.queues();
      this.looks.push({ at: Date.now(), depths: new Map(depths.map((each) => [each.queue, each])) });
      if (this.looks.length > KEPT_LOOKS) this.looks.shift();
    } catch (error) {
      this.onFailure(error);
    }
  }
}
