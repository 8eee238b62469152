/** Whether what handlers depend on can be used: while it cannot, a worker takes no tasks, and a failure is not the task's. */
import type { Logger } from '../telemetry/logger.js';
import { containWithin } from '../values/contain.js';

/** Rejects, or never ends, while a database or another dependency of the handlers cannot be used. */
export type ReadinessProbe = () => Promise<unknown>;

const ASK_EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 5_000;

export class Readiness {
  private ready = false;
  private asking: Promise<boolean> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    /** `undefined`: there is nothing to wait for. */
    private readonly probe: ReadinessProbe | undefined,
    private readonly logger: Logger,
    private readonly onChange: () => void,
  ) {
    this.ready = probe === undefined;
  }

  get isReady(): boolean {
    return this.ready;
  }

  start(): void {
    if (this.probe !== undefined) void this.askAgain(this.probe);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Asks now, for a caller that has to know whether a failure is its own. Never rejects. */
  async ask(): Promise<boolean> {
    const { probe } = this;
    if (probe === undefined) return true;
    this.asking ??= this.answerOf(probe).finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askAgain(probe: ReadinessProbe): Promise<void> {
    await this.ask();
    if (!this.stopped) this.timer = setTimeout(() => void this.askAgain(probe), ASK_EVERY_MS);
  }

  private async answerOf(probe: ReadinessProbe): Promise<boolean> {
    let problem: unknown;
    await containWithin(probe, ANSWER_WITHIN_MS, (error) => (problem = error));
    const isReady = problem === undefined;
    if (isReady === this.ready) return isReady;
    this.ready = isReady;
    if (isReady) this.logger.info('ready: tasks are taken');
    else this.logger.warn({ err: problem }, 'a dependency cannot be used; no tasks are taken until it can');
    this.onChange();
    return isReady;
  }
}
