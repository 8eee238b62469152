/** The framework's logger interface, and the default logger. */
import { isError, jsonOf } from '../values/any-value.js';

/** Fields first, then a constant message; or the message alone. An error goes into the field `err`. */
export interface LogMethod {
  (fields: object, message?: string): void;
  (message: string): void;
}

export const LOG_LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type LogLevel = keyof typeof LOG_LEVELS;

const LEVEL_NAMES = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const satisfies LogLevel[];

/** A logger with the interface of pino; every pino logger is one. */
export interface Logger extends Readonly<Record<LogLevel, LogMethod>> {
  /** The lowest level that is written, for example `info`. */
  readonly level: string;
  /** A logger that adds these fields to every line. */
  child(fields: Record<string, unknown>): Logger;
}

export interface JsonLoggerOptions {
  /** The lowest level that is written: one of LOG_LEVELS, or `silent`. Any other value writes all levels. */
  level: string;
  /** Receives one line of JSON without a line break. */
  write: (line: string) => void;
  /** Fields that every line carries. */
  fields?: Record<string, unknown>;
}

/** Writes warnings and errors to standard error, so that a process without logging still reports why its tasks fail. */
export function standardErrorLogger(): Logger {
  return jsonLogger({ level: 'warn', write: (line) => void process.stderr.write(`${line}\n`) });
}

/** Writes lines with the field names of pino: level, time, msg, err. */
export function jsonLogger({ level, write, fields: own = {} }: JsonLoggerOptions): Logger {
  const least =
    level === 'silent' ? Infinity : LOG_LEVELS[LEVEL_NAMES.find((name) => name === level) ?? 'trace'];
  const method = (name: LogLevel): LogMethod => {
    if (LOG_LEVELS[name] < least) return ignore;
    return (first: object | string, message?: string) => {
      const head = { level: LOG_LEVELS[name], time: Date.now(), ...own };
      if (typeof first === 'string') write(jsonOf({ ...head, msg: first }));
      else write(jsonOf({ ...head, ...serializeErrors(first), msg: message }));
    };
  };
  return {
    level,
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (fields) => jsonLogger({ level, write, fields: { ...own, ...serializeErrors(fields) } }),
  };
}

/** Reads a line of `jsonLogger`, without its time. */
export function parseLogLine(line: string): { level: LogLevel; message: string | undefined; fields: object } {
  const { level, time: _, msg, ...fields }: { level: number; time: number; msg?: string } = JSON.parse(line);
  const name = LEVEL_NAMES.find((each) => LOG_LEVELS[each] === level) ?? 'info';
  return { level: name, message: msg, fields };
}

/** A longer chain is cut: an error may be its own cause. */
const MAX_CAUSES = 8;

function ignore(): void {}

/** An error's own properties are not enumerable, so JSON would render it as `{}`. */
function serializeErrors(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isError(value) ? plainError(value) : value]),
  );
}

function plainError(error: Error, depth = 0): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return {
    ...Object.fromEntries(Object.entries(error)),
    type: name,
    message,
    stack,
    ...(isError(cause) && depth < MAX_CAUSES ? { cause: plainError(cause, depth + 1) } : {}),
  };
}
