/** Processes entries by queue: a queue that accepts no tasks delays its own entries only. */
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

  /** Resolves once nothing is left, or after this time in milliseconds. Work that has not begun by then never begins. */
  async stop(withinMs: number): Promise<void> {
    this.waiting.clear();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([Promise.all(this.draining.values()), late]);
    clearTimeout(timer);
  }

  private async drain(queue: string): Promise<void> {
    // Entries that are added in the same turn are included.
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
