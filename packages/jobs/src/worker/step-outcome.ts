/** What becomes of an attempt that has steps: it may have to wait, or to give way, whatever its handler has done. */
import type { Steps } from '../steps/steps.js';
import type { AttemptEnd } from './middleware/middleware.js';

export interface HandlerEnd {
  /** `undefined`: it has returned. */
  thrown: { error: unknown } | undefined;
  isRevoked: () => boolean;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** When the task expires, in milliseconds since 1970; `undefined`: never. */
  expiresAt: number | undefined;
  /** What the handler's own result or error comes to. */
  judge: () => AttemptEnd | Promise<AttemptEnd>;
  failed: (error: unknown) => Promise<AttemptEnd>;
}

/** Waits for the steps that still run, so that they are remembered. Never rejects. */
export async function outcomeOfSteps(steps: Steps, handler: HandlerEnd): Promise<AttemptEnd> {
  await steps.idle();
  const interruption = steps.interruption(handler.thrown);
  if (interruption === undefined) {
    const missing = handler.thrown === undefined ? steps.missing() : undefined;
    return missing === undefined ? handler.judge() : handler.failed(missing);
  }
  if (handler.isRevoked()) return { kind: 'revoked' };
  switch (interruption.kind) {
    case 'suspended': {
      // A task that expires meanwhile ends at that time.
      const until = Math.min(interruption.until, handler.expiresAt ?? Infinity);
      const { waitsFor } = interruption;
      return { kind: 'snoozed', delayMs: Math.max(0, until - handler.now()), hold: { waitsFor } };
    }
    case 'fenced':
      return { kind: 'left_alone' };
    case 'changed':
      return handler.failed(interruption.error);
  }
}
