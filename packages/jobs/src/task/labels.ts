/** Labels that a contract gives the events of its tasks, so that a history can be searched and grouped by them. */
import { JobsError } from '../errors.js';
import { cut, fieldOf } from '../values/any-value.js';
import { requireToken } from '../wire/names.js';
import { isSensitive } from './sensitive.js';

/** A constant, or a field of the payload. */
export type Label<Field extends string = string> = string | { readonly field: Field };
export type Labels = Readonly<Record<string, Label>>;

const MAX_LABELS = 8;
const MAX_LENGTH = 64;

/** @throws JobsError `invalid_options` for too many labels, a name that is no token, a sensitive field */
export function resolveLabels(task: string, labels: Labels = {}, sensitive: readonly string[] = []): Labels {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS)
    throw invalid(task, `has ${entries.length} labels; a task has at most ${MAX_LABELS}`);
  for (const [name, label] of entries) {
    requireToken(name, `The name of a label of task "${task}"`);
    if (typeof label === 'string') {
      if (label === '' || label.length > MAX_LENGTH)
        throw invalid(task, `labels.${name} must have 1 to ${MAX_LENGTH} characters`);
    } else if (isSensitive(label.field, sensitive)) {
      throw invalid(task, `labels.${name} would publish the field "${label.field}", which is sensitive`);
    }
  }
  return Object.freeze({ ...labels });
}

/** The labels of one task, each cut to 64 characters. A field that is absent or holds an object gives none. Never throws. */
export function labelsOf(labels: Labels, payload: unknown): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, label] of Object.entries(labels)) {
    const value = typeof label === 'string' ? label : fieldOf(payload, label.field);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      values[name] = cut(String(value), MAX_LENGTH);
  }
  return values;
}

function invalid(task: string, problem: string): JobsError {
  return new JobsError('invalid_options', `Task "${task}": ${problem}.`, { details: { task } });
}
