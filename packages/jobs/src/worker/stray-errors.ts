/**
 * Errors that a handler leaves behind: a promise that nobody awaits, a callback of a timer or listener that throws. Node ends the process
 * for them, and with it every other task. While a worker runs they are logged instead.
 */
import type { Logger } from '../telemetry/logger.js';

const loggers = new Set<Logger>();

/** Begins to contain stray errors of this process, and returns how to end it. Several workers share it. */
export function containStrayErrors(logger: Logger): () => void {
  if (loggers.size === 0) {
    process.on('unhandledRejection', onRejection);
    process.on('uncaughtException', onException);
  }
  loggers.add(logger);
  return () => {
    loggers.delete(logger);
    if (loggers.size > 0) return;
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  };
}

function onRejection(error: unknown): void {
  report(error, 'a promise was rejected that no handler awaits; await it, or handle its rejection');
}

function onException(error: unknown): void {
  report(error, 'a callback of a timer, listener or stream has thrown; handle the error inside of it');
}

function report(error: unknown, message: string): void {
  const [logger] = loggers;
  logger?.error({ err: error }, message);
}
