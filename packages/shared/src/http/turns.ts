/**
 * Work that takes the event loop for milliseconds: one piece in each turn of the loop, the senders one after the other. Other requests are
 * answered between two pieces, and a sender with many pieces delays its own.
 */
export class Turns {
  /** The sender whose turn is next comes first: a map keeps the order of insertion. */
  private readonly waiting = new Map<string, (() => void)[]>();
  private isRunning = false;

  /** Resolves when a piece of work of the sender may begin. */
  next(sender: string): Promise<void> {
    return new Promise((resolve) => {
      const own = this.waiting.get(sender);
      if (own === undefined) this.waiting.set(sender, [resolve]);
      else own.push(resolve);
      if (this.isRunning) return;
      this.isRunning = true;
      setImmediate(() => this.run());
    });
  }

  private run(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.isRunning = false;
      return;
    }
    const [sender, own] = next;
    const begin = own.shift();
    this.waiting.delete(sender);
    if (own.length > 0) this.waiting.set(sender, own);
    begin?.();
    setImmediate(() => this.run());
  }
}
