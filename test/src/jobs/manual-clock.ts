/** A clock that goes when it is told to. */
import type { ScheduleClock } from '@stratum/jobs';

export class ManualClock implements ScheduleClock {
  private time: number;
  private readonly waiting = new Set<{ until: number; wake: () => void }>();

  constructor(start: Date) {
    this.time = start.getTime();
  }

  now(): number {
    return this.time;
  }

  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiter = { until: this.time + milliseconds, wake: resolve };
      this.waiting.add(waiter);
      signal.addEventListener('abort', () => {
        this.waiting.delete(waiter);
        resolve();
      });
      this.wakeDue();
    });
  }

  advance(milliseconds: number): void {
    this.time += milliseconds;
    this.wakeDue();
  }

  set(time: Date): void {
    this.time = time.getTime();
    this.wakeDue();
  }

  private wakeDue(): void {
    for (const waiter of this.waiting) {
      if (waiter.until > this.time) continue;
      this.waiting.delete(waiter);
      waiter.wake();
    }
  }
}
