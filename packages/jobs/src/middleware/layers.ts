/**
 * Calls functions around one another, so that none of them can harm more than the call that it surrounds: `next` takes effect once, and not
 * at all once the call has ended.
 */
import { JobsError } from '../errors.js';

/** A function around the ones that follow it. */
export interface Layer<Input, Result> {
  name: string;
  run: (input: Input, next: (input: Input) => Promise<Result>) => unknown;
}

export class LayeredCall<Input, Result> {
  private core: Promise<Result> | undefined;
  private isOver = false;

  constructor(
    private readonly layers: readonly Layer<Input, Result>[],
    private readonly work: (input: Input) => Promise<Result>,
  ) {}

  /** The innermost work, if it was reached. */
  get reached(): Promise<Result> | undefined {
    return this.core;
  }

  /**
   * Resolves with the result of the innermost work.
   * @throws what a layer throws; JobsError `middleware_failed` for one that does not call `next`, or calls it twice
   */
  run(input: Input): Promise<Result> {
    return this.enter(0, input);
  }

  /** From now on `next` is refused: nothing may happen behind the back of who has been told that the call has ended. */
  end(): void {
    this.isOver = true;
  }

  private enter(index: number, input: Input): Promise<Result> {
    if (this.isOver) return refused('The call has ended before its middleware called next().');
    const layer = this.layers[index];
    if (layer !== undefined) return this.surround(layer, index, input);
    this.core = this.work(input);
    return this.core;
  }

  private async surround({ name, run }: Layer<Input, Result>, index: number, input: Input): Promise<Result> {
    let inner: Promise<Result> | undefined;
    const next = (changed: Input): Promise<Result> => {
      if (inner !== undefined) return refused(`Middleware "${name}" has called next() twice.`);
      inner = this.enter(index + 1, changed);
      // A middleware may not await it, but this does below.
      inner.catch(ignore);
      return inner;
    };
    await run(input, next);
    if (inner === undefined)
      throw new JobsError('middleware_failed', `Middleware "${name}" has ended without calling next().`, {
        details: { middleware: name },
      });
    return inner;
  }
}

/** Rejects, and harms nobody who does not listen. */
function refused(message: string): Promise<never> {
  const refusal = Promise.reject(new JobsError('middleware_failed', message));
  refusal.catch(ignore);
  return refusal;
}

function ignore(): void {}
