/** Messages of programs that know the wire contract alone, some of which they have misread. */
import { namesFor, type Priority } from '@stratum/jobs';
import { randomFrom } from './random.js';

export interface ForeignMessage {
  /** In the body as well, by which a dead letter is found. */
  id: string;
  subject: string;
  headers: Record<string, string>;
  body: string;
  /** Whether it is a task, which has to succeed; otherwise it has to become one dead letter. */
  isTask: boolean;
}

const WELL_FORMED_SHARE = 0.6;
const NESTING = 5_000;
const HOUR_MS = 3_600_000;

export function planForeign(seed: number, count: number, prefix: string): ForeignMessage[] {
  const random = randomFrom(seed ^ 0xf0e);
  const names = namesFor(prefix);
  const subjectOf = (id: string, priority: Priority = 'normal'): string =>
    names.taskSubject({ queue: 'crash', priority, tenant: undefined, task: 'crash', id });
  const tasks = `${prefix}.tasks.crash`;
  const misread: ((id: string) => Partial<ForeignMessage>)[] = [
    (id) => ({ subject: `${tasks}.urgent._.crash.${id}` }),
    (id) => ({ subject: `${tasks}.crash.${id}` }),
    (id) => ({ subject: `${tasks}.normal.crash.${id}` }),
    (id) => ({ subject: subjectOf(`${id}:x`) }),
    (id) => ({ subject: subjectOf(`${id}.x`) }),
    (id) => ({ subject: subjectOf(`${id}@größe`) }),
    (id) => ({ subject: subjectOf(`${id}-${'x'.repeat(65)}`) }),
    (id) => ({ body: `no JSON: ${id}` }),
    (id) => ({ body: JSON.stringify({ kind: 17, note: id }) }),
    (id) => ({ body: JSON.stringify([id]) }),
    (id) => ({ body: `{"note":"${id}","deep":${'['.repeat(NESTING)}${']'.repeat(NESTING)}}` }),
    (id) => ({ subject: names.delayedSubject('crash', id) }),
    (id) => ({
      subject: names.delayedSubject('crash', id),
      headers: { 'Nats-Schedule-Target': 'nowhere.at.all' },
    }),
  ];
  const wellRead: ((id: string) => Partial<ForeignMessage>)[] = [
    () => ({}),
    (id) => ({ subject: subjectOf(id, 'high') }),
    () => ({ headers: { 'Task-Retries': 'many', 'Task-Expires': 'soon', 'Task-Time-Limit': '-1' } }),
    () => ({ headers: { 'Task-Enqueued-At': new Date(Date.now() + HOUR_MS).toISOString() } }),
    (id) => ({
      subject: names.delayedSubject('crash', id),
      headers: {
        'Nats-Schedule': `@at ${new Date(Date.now() + 1_000).toISOString()}`,
        'Nats-Schedule-Target': subjectOf(id),
      },
    }),
    // No schedule: it is due at once.
    (id) => ({
      subject: names.delayedSubject('crash', id),
      headers: { 'Nats-Schedule-Target': subjectOf(id) },
    }),
  ];
  return Array.from({ length: count }, (_, index) => {
    const id = `f${seed}-${index}-`;
    const isTask = random() < WELL_FORMED_SHARE;
    const variants = isTask ? wellRead : misread;
    const own = variants[Math.floor(random() * variants.length)]?.(id);
    return {
      id,
      subject: subjectOf(id),
      body: JSON.stringify({ kind: 'plain', failures: 0, waitMs: 0, note: id }),
      isTask,
      ...own,
      headers: { 'Nats-Msg-Id': id, ...own?.headers },
    };
  });
}
