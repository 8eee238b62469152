/**
 * Subjects that programs of others have published to a queue, and that are no task's: an unknown priority, a missing tenant, an id with
 * dots or other characters. Their dead letters need a task all the same.
 */
import { createHash } from 'node:crypto';
import { isPriority, isShard, isToken, NO_TENANT, type Names, type TaskSubject } from './names.js';

/** Characters of the unusable id that its replacement begins with. */
const KEPT_CHARACTERS = 40;
export const UNKNOWN_TASK = 'unknown';

/** Reads as much of the subject as can be read. The same subject always gives the same task. */
export function readUnusableSubject(names: Names, subject: string): TaskSubject {
  const start = `${names.prefix}.tasks.`;
  const tokens = subject.startsWith(start)
    ? subject.slice(start.length).split('.')
    : ['', undefined, subject];
  if (isShard(tokens[0])) tokens.shift();
  const [queue = '', priority, ...own] = tokens;
  const missing = Array.from({ length: Math.max(0, 3 - own.length) }, () => '');
  const [tenant = '', task = '', ...id] = [...missing, ...own];
  const idText = id.join('.');
  return {
    queue,
    priority: isPriority(priority) ? priority : 'normal',
    tenant: isToken(tenant) && tenant !== NO_TENANT ? tenant : undefined,
    task: isToken(task) ? task : UNKNOWN_TASK,
    id: isToken(idText) ? idText : replacementFor(subject, idText),
  };
}

function replacementFor(subject: string, id: string): string {
  const readable = id.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, KEPT_CHARACTERS);
  return `${readable}-${createHash('sha256').update(subject).digest('hex').slice(0, 12)}`;
}
