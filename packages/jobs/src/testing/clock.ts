/** Time that a test lets pass. */
export interface TestClock {
  now(): Date;
  /** Lets so much time pass, in milliseconds: limits of tasks that run on this clock fire at once. */
  advance(milliseconds: number): void;
  /** Told of each advance; returns what ends that. */
  onAdvance(listener: () => void): () => void;
}

/** A clock that stands still until it is advanced. Default start: now. */
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
