/**
 * What makes two messages, records or letters the same task: tenant, queue, task and id together. Programs choose ids, and some are
 * predictable (of ticks, of workflow steps), so an id alone proves nothing.
 */

export interface TaskIdentity {
  /** `null` and `undefined`: no tenant. */
  readonly tenant: string | null | undefined;
  readonly queue: string;
  readonly task: string;
  readonly id: string;
}

export function isSameTask(a: TaskIdentity, b: TaskIdentity): boolean {
  return (
    a.id === b.id &&
    a.task === b.task &&
    a.queue === b.queue &&
    (a.tenant ?? undefined) === (b.tenant ?? undefined)
  );
}
