/** How heartbeats name the version of a contract that a worker has. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TaskContract } from '../task/define-task.js';

const DIGITS = 12;

/** `<task>:<fingerprint>`: workers that read the same payloads have the same entry. */
export function contractEntry({ name, input }: TaskContract): string {
  return `${name}:${createHash('sha256').update(schemaText(input)).digest('hex').slice(0, DIGITS)}`;
}

function schemaText(input: z.ZodType): string {
  try {
    return JSON.stringify(z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }));
  } catch {
    // It cannot be told from others of its kind, so it counts as the same version.
    return '';
  }
}
