/** The dictionaries of names, in memory: they are few, and never change. */
import type { Queryable } from '../database/database.js';
import type { Dictionary } from './rows.js';

export class Names implements Dictionary {
  private readonly taskIds = new Map<string, number>();
  private readonly tasks = new Map<number, { queue: string; name: string }>();
  private readonly workerIds = new Map<string, number>();
  private readonly workers = new Map<number, string>();

  task(queue: string, name: string): number {
    return known(this.taskIds.get(`${queue} ${name}`), 'task', name);
  }

  taskName(id: number): { queue: string; name: string } {
    return known(this.tasks.get(id), 'task', id);
  }

  worker(name: string): number {
    return known(this.workerIds.get(name), 'worker', name);
  }

  workerName(id: number): string {
    return known(this.workers.get(id), 'worker', id);
  }

  get allTasks(): string[] {
    return [...new Set([...this.tasks.values()].map(({ name }) => name))];
  }

  /** Numbers of the tasks that are wanted. */
  tasksWhere(isWanted: (task: { queue: string; name: string }) => boolean): number[] {
    return [...this.tasks].filter(([, task]) => isWanted(task)).map(([id]) => id);
  }

  workersWhere(isWanted: (name: string) => boolean): number[] {
    return [...this.workers].filter(([, name]) => isWanted(name)).map(([id]) => id);
  }

  /** Reads what other processes have added. */
  async load(client: Queryable): Promise<void> {
    const tasks = await client.query<{ id: number; queue: string; name: string }>(
      'SELECT id, queue, name FROM task_name',
    );
    for (const { id, queue, name } of tasks.rows) {
      this.tasks.set(id, { queue, name });
      this.taskIds.set(`${queue} ${name}`, id);
    }
    const workers = await client.query<{ id: number; name: string }>('SELECT id, name FROM worker_name');
    for (const { id, name } of workers.rows) {
      this.workers.set(id, name);
      this.workerIds.set(name, id);
    }
  }

  /** Reads the dictionaries again if a row has a number that is not known. */
  async learn(client: Queryable, rows: readonly { task?: unknown; worker?: unknown }[]): Promise<void> {
    const isKnown = ({ task, worker }: { task?: unknown; worker?: unknown }): boolean =>
      (typeof task !== 'number' || this.tasks.has(task)) &&
      (typeof worker !== 'number' || this.workers.has(worker));
    if (!rows.every(isKnown)) await this.load(client);
  }

  /** Gives numbers to names that have none. */
  async add(
    client: Queryable,
    tasks: Iterable<{ queue: string; task: string }>,
    workers: Iterable<string>,
  ): Promise<void> {
    const newTasks = new Map(
      [...tasks].flatMap(({ queue, task }) =>
        this.taskIds.has(`${queue} ${task}`) ? [] : [[`${queue} ${task}`, { queue, name: task }]],
      ),
    );
    const newWorkers = new Set([...workers].filter((name) => !this.workerIds.has(name)));
    if (newTasks.size === 0 && newWorkers.size === 0) return;
    const rows = [...newTasks.values()];
    await client.query(
      'INSERT INTO task_name (queue, name) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING',
      [rows.map(({ queue }) => queue), rows.map(({ name }) => name)],
    );
    await client.query(
      'INSERT INTO worker_name (name) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING',
      [[...newWorkers]],
    );
    await this.load(client);
  }
}

function known<Value>(value: Value | undefined, kind: string, name: string | number): Value {
  if (value === undefined) throw new Error(`The history does not know the ${kind} ${name}.`);
  return value;
}
