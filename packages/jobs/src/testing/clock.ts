/** A clock that a test advances. */
export interface TestClock {
  /** The time as the test has set it. */
  now(): Date;
  /** Advances the clock by this many milliseconds. Time limits of tasks on this clock fire at once. */
  advance(milliseconds: number): void;
  /** Calls the listener at each advance; returns a function that removes it. */
  onAdvance(listener: () => void): () => void;
}

/** Creates a clock that does not move until it is advanced. Default start: now. */
export function createTestClock({ now = new Date() }: { now?: Date } = {}): TestClock {
  const listeners = new Set<() => void>();
  let time = now.getTime();
  return {
    now: () => new Date(time),
    advance: (milliseconds) => {
      time += milliseconds;
      for (const listener of listeners) listener();
    },
    onAdvance: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
