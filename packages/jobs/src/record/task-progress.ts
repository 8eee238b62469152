/** The progress of a task as its record keeps it. */
import { textOf } from '../values/any-value.js';
import type { TaskProgress } from '../wire/record.js';

const NOTE_LENGTH = 1_000;

/** Any values: numbers that JSON cannot carry become 0, a note becomes text of at most 1,000 characters. */
export function toProgress(done: unknown, total: unknown, note: unknown): TaskProgress {
  return {
    done: finite(done),
    total: finite(total),
    note: note === undefined || note === null ? null : textOf(note, NOTE_LENGTH),
  };
}

function finite(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
