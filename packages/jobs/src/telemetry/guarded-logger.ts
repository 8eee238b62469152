/** A logger that never fails its caller: handlers log all kinds of values, and the logger itself is the user's. */
import { cut, textOf, toJsonValue } from '../values/any-value.js';
import { standardErrorLogger, type Logger, type LogLevel, type LogMethod } from './logger.js';

/** A longer text in a line is cut. */
const MAX_TEXT = 16_000;

/** @param logger default: warnings and errors, as lines of JSON on standard error */
export function guardedLogger(logger: Logger = standardErrorLogger()): Logger {
  return logger instanceof GuardedLogger ? logger : new GuardedLogger(logger);
}

class GuardedLogger implements Logger {
  readonly trace = this.method('trace');
  readonly debug = this.method('debug');
  readonly info = this.method('info');
  readonly warn = this.method('warn');
  readonly error = this.method('error');
  readonly fatal = this.method('fatal');

  constructor(private readonly logger: Logger) {}

  get level(): string {
    return this.logger.level;
  }

  child(fields: Record<string, unknown>): Logger {
    return new GuardedLogger(this.childOf(fields));
  }

  private childOf(fields: Record<string, unknown>): Logger {
    try {
      return this.logger.child(fields);
    } catch {
      return childOrSelf(this.logger, fields);
    }
  }

  private method(level: LogLevel): LogMethod {
    return (first: unknown, message?: unknown): void => {
      try {
        if (typeof first === 'string') this.logger[level](cut(first, MAX_TEXT));
        else
          this.logger[level](shortened(first), message === undefined ? undefined : textOf(message, MAX_TEXT));
      } catch {
        writePlain(this.logger, level, first, message);
      }
    };
  }
}

/** The second try, with fields that anybody can write down. A logger that fails again has nobody to tell. */
function writePlain(logger: Logger, level: LogLevel, first: unknown, message: unknown): void {
  try {
    logger[level]({ fields: toJsonValue(first) }, textOf(message ?? '', MAX_TEXT));
  } catch {
    // Nobody is left to tell.
  }
}

function childOrSelf(logger: Logger, fields: unknown): Logger {
  try {
    return logger.child({ fields: toJsonValue(fields) });
  } catch {
    return logger;
  }
}

function shortened(fields: unknown): object {
  if (typeof fields !== 'object' || fields === null) return { value: toJsonValue(fields) };
  let copy: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string' || value.length <= MAX_TEXT) continue;
    copy ??= { ...fields };
    copy[name] = cut(value, MAX_TEXT);
  }
  return copy ?? fields;
}
