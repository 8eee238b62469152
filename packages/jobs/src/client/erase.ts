/**
 * Removes for good what the broker keeps of a tenant, or the part of it that holds certain data: waiting and delayed tasks, dead letters,
 * records with results, events, workflows, schedule entries. Work of a rare job: it reads whole streams.
 */
import { purgeKeys, scanValues } from '../workflow/erase-workflow.js';
import type { StoredMessage } from '../broker/batch.js';
import { KeyValue } from '../broker/key-value.js';
import { scanStream } from '../broker/scan.js';
import { eraseShownKeys } from '../limits/erase-shown-keys.js';
import type { Resources } from '../resources/resources.js';
import { stepEntrySchema } from '../steps/entry.js';
import { readQueuedTask } from '../record/task-record.js';
import { fieldOf } from '../values/any-value.js';
import { readJson } from '../values/read-json.js';
import { LetterSearch } from './letters/letter-search.js';
import { indexEntryOf } from './letters/replay.js';

export interface EraseFilter {
  tenant: string;
  /** Takes the body of a message or a stored value. Default: all that is the tenant's. */
  matches?: (body: Uint8Array) => boolean;
}

/** Numbers of what was removed. */
export interface Erased {
  tasks: number;
  dead_letters: number;
  records: number;
  events: number;
  workflows: number;
  schedules: number;
  /** Results of steps that runs remembered. */
  steps: number;
  /** Events that runs may wait for, and ends of tasks that runs have called. */
  run_events: number;
  /** Keys of limits that were shown; those of a whole tenant go by themselves within a day. */
  limit_keys: number;
}

/** Idempotent: after a failure it can be repeated. A task that a worker runs goes on; what it stores afterwards stays. */
export async function eraseStored(resources: Resources, filter: EraseFilter): Promise<Erased> {
  const eraser = new Eraser(resources, filter);
  return {
    workflows: await eraser.workflows(),
    schedules: await eraser.schedules(),
    tasks: await eraser.tasks(),
    steps: await eraser.steps(),
    dead_letters: await eraser.deadLetters(),
    records: await eraser.records(),
    events: await eraser.events(),
    run_events: await eraser.runEvents(),
    limit_keys: filter.matches === undefined ? 0 : await eraseShownKeys(resources, filter.matches),
  };
}

class Eraser {
  private readonly mark: Buffer;

  constructor(
    private readonly resources: Resources,
    private readonly filter: EraseFilter,
  ) {
    // Cheaper than to parse every document: most belong to others.
    this.mark = Buffer.from(JSON.stringify(filter.tenant));
  }

  async tasks(): Promise<number> {
    const { topology, names } = this.resources;
    const { tenant } = this.filter;
    let removed = 0;
    for (const carrier of topology.queues.flatMap(({ name }) => names.carriers(name))) {
      const stream = names.queueStream(carrier);
      const subjects = names.taskSubject({ queue: carrier, priority: '*', tenant, task: '*', id: '*' });
      removed += await this.remove(stream, subjects, () => true);
      removed += await this.remove(stream, names.delayedFilter(carrier), ({ subject, headers, time }) => {
        const task = readQueuedTask(names, { subject, headers, storedAt: time });
        return task?.subject.tenant === tenant;
      });
    }
    return removed;
  }

  async deadLetters(): Promise<number> {
    const { streams, names, letterIndex } = this.resources;
    let removed = 0;
    for await (const { letter, message } of new LetterSearch(this.resources).matching({
      tenant: this.filter.tenant,
    })) {
      if (!this.matches(message.data)) continue;
      if (await streams.delete(names.deadStream, letter.sequence)) removed++;
      await letterIndex.remove([indexEntryOf(letter)]);
    }
    return removed;
  }

  /** A bucket allows no removal of single messages, only of keys. */
  async records(): Promise<number> {
    const { connection, streams, names } = this.resources;
    let removed = 0;
    for await (const message of scanStream(connection, names.resultStream, names.resultKeyFilter)) {
      if (!this.isOwn(message) || !this.matches(message.data)) continue;
      removed += await streams.purge(names.resultStream, message.subject);
    }
    return removed;
  }

  events(): Promise<number> {
    const { eventStream, eventFilter } = this.resources.names;
    return this.remove(eventStream, eventFilter, (message) => this.isOwn(message));
  }

  /**
   * All of a tenant go. Of some, only the result does: without its place the step would run again, and so the task fails instead when it comes
   * to it.
   */
  async steps(): Promise<number> {
    const { connection, names, streams, journals } = this.resources;
    const { tenant, matches } = this.filter;
    const filter = names.stepKey({ tenant, task: '*', id: '*' }, '*');
    if (matches === undefined) return streams.purge(names.stepStream, filter);
    const found = new Set<string>();
    for await (const { subject, data } of scanStream(connection, names.stepStream, filter))
      if (matches(data)) found.add(subject);
    for (const subject of found)
      await journals.keys.change(subject, (stored) => {
        const entry = stored && stepEntrySchema.safeParse(readJson(stored.message));
        if (entry?.success !== true) return undefined;
        return { body: JSON.stringify({ ...entry.data, result: undefined, erased: true }) };
      });
    return found.size;
  }

  async runEvents(): Promise<number> {
    const { connection, names, streams } = this.resources;
    const { tenant, matches } = this.filter;
    let removed = 0;
    for (const filter of [names.eventKeys(tenant), names.callEndKey({ tenant, task: '*', id: '*' }, '*')])
      if (matches === undefined) removed += await streams.purge(names.lockStream, filter);
      else
        for await (const { subject, data } of scanStream(connection, names.lockStream, filter))
          if (data.length > 0 && matches(data)) removed += await streams.purge(names.lockStream, subject);
    return removed;
  }

  async workflows(): Promise<number> {
    const { connection, names, streams } = this.resources;
    const ids = new Set<string>();
    const own = new Set<string>();
    for await (const { id, isManifest, message } of scanValues(connection, names)) {
      if (isManifest && this.isOwn(message, ['tenant', 'owner'])) own.add(id);
      if (this.matches(message.data)) ids.add(id);
    }
    const chosen = [...own].filter((id) => ids.has(id));
    for (const id of chosen) await purgeKeys(streams, names, id);
    const starts = names.workflowStartSubject(this.filter.tenant, '*');
    return chosen.length + (await this.remove(names.workflowStartStream, starts, () => true));
  }

  async schedules(): Promise<number> {
    const { connection, names, publisher, streams } = this.resources;
    const bucket = new KeyValue({
      publisher,
      streams,
      stream: names.scheduleStream,
      subjectOf: (key) => names.scheduleKey(key),
    });
    const found = new Set<string>();
    for await (const message of scanStream(connection, names.scheduleStream, names.scheduleKey('entry.*')))
      if (this.isOwn(message) && this.matches(message.data))
        found.add(message.subject.slice(names.scheduleKey('entry.').length));
    for (const name of found)
      for (const kind of ['entry', 'state', 'backfill']) await bucket.delete(`${kind}.${name}`);
    return found.size;
  }

  private async remove(
    stream: string,
    subjects: string,
    isOwn: (message: StoredMessage) => boolean,
  ): Promise<number> {
    const { connection, streams } = this.resources;
    let removed = 0;
    for await (const message of scanStream(connection, stream, subjects))
      if (isOwn(message) && this.matches(message.data) && (await streams.delete(stream, message.seq)))
        removed++;
    return removed;
  }

  private matches(body: Uint8Array): boolean {
    return this.filter.matches === undefined || this.filter.matches(body);
  }

  private isOwn(message: StoredMessage, fields: readonly string[] = ['tenant']): boolean {
    if (
      !Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).includes(this.mark)
    )
      return false;
    const document = readJson(message);
    return fields.some((field) => fieldOf(document, field) === this.filter.tenant);
  }
}
