/**
 * Gathers items for work that costs nearly the same for many as for one: those of one turn of the event loop go together, and so do those that
 * come while earlier ones are being worked on.
 */
export class Gathering<Item> {
  private gathered: Item[] = [];
  private isWorking = false;

  constructor(
    private readonly mostAtOnce: number,
    /** Never rejects. */
    private readonly work: (items: readonly Item[]) => Promise<void>,
  ) {}

  add(item: Item): void {
    if (this.gathered.push(item) === 1 && !this.isWorking) setImmediate(() => void this.workThrough());
  }

  private async workThrough(): Promise<void> {
    this.isWorking = true;
    while (this.gathered.length > 0) await this.work(this.gathered.splice(0, this.mostAtOnce));
    this.isWorking = false;
  }
}
