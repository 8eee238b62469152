/** What a record keeps of an error: text of bounded length, whatever was thrown. */
import { fieldOf, isError, textOf } from '../values/any-value.js';
import type { TaskErrorRecord } from '../wire/record.js';

const TYPE_LENGTH = 200;
const MESSAGE_LENGTH = 4_000;
const STACK_LENGTH = 12_000;

/** @param error any value: handlers also throw things that are not errors */
export function errorRecord(error: unknown, retryable: boolean): TaskErrorRecord {
  const stack = isError(error) ? fieldOf(error, 'stack') : undefined;
  return {
    type: typeOf(error),
    message: messageOf(error),
    stack: stack === undefined || stack === null ? null : textOf(stack, STACK_LENGTH),
    retryable,
  };
}

/** One line for lists: `TypeError: x is not a function`. */
export function errorLine({ type, message }: Pick<TaskErrorRecord, 'type' | 'message'>): string {
  return `${type}: ${message}`;
}

function typeOf(error: unknown): string {
  if (!isError(error)) return typeof error;
  const name = fieldOf(error, 'name');
  return name === undefined || name === '' ? 'Error' : textOf(name, TYPE_LENGTH);
}

function messageOf(error: unknown): string {
  const message = fieldOf(error, 'message');
  if (typeof message === 'string' || (isError(error) && message !== undefined))
    return textOf(message, MESSAGE_LENGTH);
  return isError(error) ? 'The message of this error cannot be read.' : textOf(error, MESSAGE_LENGTH);
}
