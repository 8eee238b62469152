/** Groups errors that have the same cause: what differs from one to the next is left out. */
import { hash } from 'node:crypto';
import type { TaskErrorRecord } from '@stratum/jobs';

const TOP_FRAMES = 5;
const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;

/** Texts of a message that change from one occurrence to the next, with the word that replaces each. */
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/\bhttps?:\/\/[^\s"'<>]+/g, '<url>'],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, '<id>'],
  [/"[^"\n]*"|'[^'\n]*'|`[^`\n]*`/g, '<text>'],
  [/\b(?=[\w-]*\d)[\w-]{12,}\b/g, '<id>'],
  [/\d+/g, '<n>'],
];

/** The message without its numbers, ids, addresses and quoted texts. */
function patternOf(message: string): string {
  return VARIABLE.reduce(
    (text, [pattern, word]) => text.replace(pattern, word),
    message.slice(0, MAX_MESSAGE),
  );
}

/** A signed 64-bit number, as text: of the task, the error's type, its pattern, and its top frames without line numbers. */
export function fingerprintOf(task: string, { type, message, stack }: TaskErrorRecord): string {
  const digest = hash('sha256', [task, type, patternOf(message), ...framesOf(stack)].join('\n'), 'buffer');
  return String(digest.readBigInt64BE());
}

function framesOf(stack: string | null): string[] {
  if (stack === null) return [];
  return (
    stack
      .slice(0, MAX_STACK)
      .split('\n')
      // Which of Node's own frames there are depends on what else the process did at that moment.
      .filter((line) => /^\s+at /.test(line) && !line.includes('node:internal/'))
      .slice(0, TOP_FRAMES)
      .map((line) => line.trim().replaceAll(/:\d+/g, ''))
  );
}
