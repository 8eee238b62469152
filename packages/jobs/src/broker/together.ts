/** Requests for a key that are made while an earlier one is under way are served by the next one, together. */
interface Waiting<Request, Answer> {
  request: Request;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

export class Together<Request, Answer> {
  private readonly waiting = new Map<string, Waiting<Request, Answer>[]>();
  private count = 0;

  constructor(
    /** The answers, in the order of the requests. */
    private readonly serve: (key: string, requests: readonly Request[]) => Promise<readonly Answer[]>,
  ) {}

  /** Requests that are not answered yet. */
  get size(): number {
    return this.count;
  }

  /** Rejects with what `serve` rejects with. */
  async ask(key: string, request: Request): Promise<Answer> {
    this.count++;
    try {
      return await new Promise<Answer>((resolve, reject) => this.enter(key, { request, resolve, reject }));
    } finally {
      this.count--;
    }
  }

  private enter(key: string, waiting: Waiting<Request, Answer>): void {
    const others = this.waiting.get(key);
    if (others !== undefined) {
      others.push(waiting);
      return;
    }
    this.waiting.set(key, [waiting]);
    void this.work(key);
  }

  private async work(key: string): Promise<void> {
    // Whoever asks in the same turn of the event loop belongs to the same request.
    await Promise.resolve();
    for (let batch = this.waiting.get(key); batch !== undefined && batch.length > 0;) {
      this.waiting.set(key, []);
      await this.serveBatch(key, batch);
      batch = this.waiting.get(key);
    }
    this.waiting.delete(key);
  }

  private async serveBatch(key: string, batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      const answers = await this.serve(key, requests);
      if (answers.length !== batch.length) throw new Error('A request was not answered.');
      for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
