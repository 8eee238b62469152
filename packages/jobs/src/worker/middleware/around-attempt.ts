/** Middleware around the handler of an attempt, inside the attempt's time limits. */
import { LayeredCall, type Layer } from '../../middleware/layers.js';
import type { AttemptCall, AttemptEnd, Middleware } from './middleware.js';

/** An attempt under way, which can be ended from outside. */
export interface SurroundedAttempt {
  readonly end: Promise<AttemptEnd>;
  /** The attempt is over, whatever the handler and the middleware do. The middleware still hears of it, and has a second to end. */
  endNow(end: AttemptEnd): void;
}

export interface AttemptWork {
  call: AttemptCall;
  /** Calls the handler. Never rejects. */
  handle: () => Promise<AttemptEnd>;
  /** What becomes of the attempt when a middleware throws. Never rejects. */
  failed: (error: unknown) => Promise<AttemptEnd>;
}

type AroundAttempt = (work: AttemptWork) => SurroundedAttempt;

const END_WITHIN_MS = 1_000;

/** `undefined` where no middleware surrounds attempts, which then costs nothing. */
export function aroundAttempt(middleware: readonly Middleware[] = []): AroundAttempt | undefined {
  const layers = middleware.flatMap(({ name, attempt }, index): Layer<AttemptCall, AttemptEnd>[] =>
    attempt === undefined
      ? []
      : [
          {
            name: name ?? `middleware[${index}]`,
            run: (call, next) => attempt(call, () => next(call)),
          },
        ],
  );
  if (layers.length === 0) return undefined;
  return (work) => new Surrounded(layers, work);
}

class Surrounded implements SurroundedAttempt {
  readonly end: Promise<AttemptEnd>;
  private resolve!: (end: AttemptEnd) => void;
  private forceHandler: ((end: AttemptEnd) => void) | undefined;
  private forced: AttemptEnd | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(layers: readonly Layer<AttemptCall, AttemptEnd>[], work: AttemptWork) {
    this.end = new Promise<AttemptEnd>((resolve) => {
      this.resolve = resolve;
    });
    const call = new LayeredCall(layers, () => this.handle(work.handle));
    void this.run(call, work).then((end) => {
      call.end();
      clearTimeout(this.timer);
      return this.resolve(end);
    });
  }

  endNow(end: AttemptEnd): void {
    if (this.forced !== undefined) return;
    this.forced = end;
    this.forceHandler?.(end);
    const withinMs = this.forceHandler === undefined ? 0 : END_WITHIN_MS;
    this.timer = setTimeout(() => this.resolve(end), withinMs);
  }

  private async run(call: LayeredCall<AttemptCall, AttemptEnd>, work: AttemptWork): Promise<AttemptEnd> {
    try {
      const end = await call.run(work.call);
      return this.forced ?? end;
    } catch (error) {
      // The handler may still run: its attempt ends when it does, or at its limit.
      await call.reached;
      return this.forced ?? work.failed(error);
    }
  }

  private handle(handle: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
    const { forced } = this;
    if (forced !== undefined) return Promise.resolve(forced);
    return new Promise((resolve) => {
      this.forceHandler = resolve;
      void handle().then(resolve);
    });
  }
}
