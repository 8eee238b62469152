/** Work on entries, queue by queue: a queue that cannot take tasks holds up its own entries and no others. */
import { eachLimited } from '../broker/each-limited.js';

type Work = () => Promise<void>;

export class QueueLanes {
  private readonly waiting = new Map<string, Work[]>();
  private readonly draining = new Map<string, Promise<void>>();

  /** @param work never rejects */
  add(queue: string, work: Work): void {
    const waiting = this.waiting.get(queue);
    if (waiting !== undefined) {
      waiting.push(work);
      return;
    }
    this.waiting.set(queue, [work]);
    if (!this.draining.has(queue)) this.draining.set(queue, this.drain(queue));
  }

  /** Resolves once nothing is left, or after this time in milliseconds. What has not begun by then does not begin. */
  async stop(withinMs: number): Promise<void> {
    this.waiting.clear();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([Promise.all(this.draining.values()), late]);
    clearTimeout(timer);
  }

  private async drain(queue: string): Promise<void> {
    // What is added in the same turn goes along.
    await Promise.resolve();
    for (let batch = this.take(queue); batch !== undefined; batch = this.take(queue))
      await eachLimited(batch, (work) => work());
    this.draining.delete(queue);
  }

  private take(queue: string): Work[] | undefined {
    const batch = this.waiting.get(queue);
    this.waiting.delete(queue);
    return batch;
  }
}
