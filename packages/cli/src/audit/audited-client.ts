/** A client whose changes are in the audit log before they take effect: the one place through which commands change queues and tasks. */
import {
  parsePayload,
  type DeadLetterFilter,
  type EventContract,
  type JobsClient,
  type Schedules,
  type SendEventOptions,
} from '@stratum/jobs';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { recording, type Changes } from './recording.js';
import type { OperatorEvent, RecordEvent } from './operator-events.js';

export function auditedClient(client: JobsClient, record: RecordEvent): JobsClient {
  const enqueued = (task: string, tenant: string | undefined, tasks = 1): Promise<void> =>
    record({
      action: 'task.enqueued',
      subject: `task/${task}`,
      tenantId: tenantIdOf(tenant),
      details: tasks === 1 ? {} : { tasks },
    });
  return {
    ...client,
    enqueue: async (contract, payload, options) => {
      await enqueued(contract.name, contract.tenantOf(parsePayload(contract, payload)));
      return client.enqueue(contract, payload, options);
    },
    enqueueMany: async (contract, items) => {
      await enqueued(contract.name, undefined, items.length);
      return client.enqueueMany(contract, items);
    },
    publish: async (queue, task, payload, options) => {
      await enqueued(task, undefined);
      return client.publish(queue, task, payload, options);
    },
    sendEvent: async (event: EventContract | string, payload: unknown, options: SendEventOptions = {}) => {
      const name = typeof event === 'string' ? event : event.name;
      await record({
        action: 'run_event.sent',
        subject: `run-event/${name}`,
        tenantId: tenantIdOf(options.tenant),
        details: options.id === undefined ? {} : { id: options.id },
      });
      return typeof event === 'string'
        ? client.sendEvent(event, payload, options)
        : client.sendEvent(event, payload, options);
    },
    revoke: async (id, options) => {
      const found = await client.status(id);
      await record({
        action: 'task.revoked',
        subject: `task/${id}`,
        tenantId: tenantIdOf(found?.tenant),
        details: { terminate: options?.terminate === true },
      });
      return client.revoke(id, options);
    },
    revokeAll: async (filter, options) => {
      await record({
        action: 'tasks.revoked',
        subject: 'tasks',
        tenantId: tenantIdOf(filter.tenant),
        details: { ...filter, terminate: options?.terminate === true },
      });
      return client.revokeAll(filter, options);
    },
    purge: async (queue) => {
      await record({ action: 'queue.purged', subject: `queue/${queue}` });
      return client.purge(queue);
    },
    control: auditedControl(client, record),
    deadLetters: auditedLetters(client, record),
    workflows: recording(client.workflows, record, {
      start: (_definition, options) => ({
        action: 'workflow.started',
        subject: `workflow/${options?.id ?? 'new'}`,
        tenantId: tenantIdOf(options?.tenant),
      }),
      cancel: async (id) => ({
        action: 'workflow.cancelled',
        subject: `workflow/${id}`,
        tenantId: tenantIdOf((await client.workflows.get(id))?.tenant),
      }),
    }),
  };
}

function auditedControl(client: JobsClient, record: RecordEvent): JobsClient['control'] {
  const { control } = client;
  const pausing = async (queue: string, paused: boolean): Promise<OperatorEvent> => {
    const depth = (await client.queues()).find((each) => each.queue === queue);
    return {
      action: paused ? 'queue.paused' : 'queue.resumed',
      subject: `queue/${queue}`,
      details: { before: { paused: depth?.paused ?? null }, after: { paused } },
    };
  };
  const circuit = async (
    action: AuditAction,
    service: string,
    key: string | undefined,
  ): Promise<OperatorEvent> => {
    const before = (await control.circuits()).find(
      (each) => each.service === service && each.key === (key ?? ''),
    );
    return {
      action,
      subject: `service/${service}`,
      details: { key: key ?? null, before: { state: before?.state ?? 'closed' } },
    };
  };
  return recording(control, record, {
    pause: (queue) => pausing(queue, true),
    resume: (queue) => pausing(queue, false),
    setConcurrency: (concurrency, options) => ({
      action: 'worker.concurrency_changed',
      subject: `worker/${options?.worker ?? 'all'}`,
      details: { after: { concurrency } },
    }),
    setRateLimit: async (task, limit) => {
      const before = (await control.rateLimits()).find((each) => each.task === task);
      return {
        action: 'task.rate_limited',
        subject: `task/${task}`,
        details: { before: before ?? null, after: limit ?? null },
      };
    },
    setKeyLimit: async (task, name, setting) => {
      const before = (await control.keyLimits()).find((each) => each.task === task && each.name === name);
      return {
        action: 'task.key_limited',
        subject: `task/${task}`,
        details: { limit: name, before: before ?? null, after: setting ?? null },
      };
    },
    openCircuit: (service, options) => circuit('circuit.opened', service, options?.key),
    closeCircuit: (service, options) => circuit('circuit.closed', service, options?.key),
    shutdown: (options) => ({
      action: 'worker.shut_down',
      subject: `worker/${options?.worker ?? 'all'}`,
    }),
  });
}

function auditedLetters(client: JobsClient, record: RecordEvent): JobsClient['deadLetters'] {
  const { deadLetters } = client;
  const one = async (action: AuditAction, id: string): Promise<OperatorEvent> => ({
    action,
    subject: `dead-letter/${id}`,
    tenantId: tenantIdOf((await deadLetters.get(id))?.tenant),
  });
  // Letters show payloads, which may say things about people.
  const changes: Changes<JobsClient['deadLetters']> = {
    list: (filter) => many('dead_letters.read', filter),
    get: (id) => one('dead_letter.read', id),
    replay: (id) => one('dead_letter.replayed', id),
    replayMany: (filter) => many('dead_letters.replayed', filter),
    discard: (id) => one('dead_letter.discarded', id),
    discardMany: (filter) => many('dead_letters.discarded', filter),
  };
  return recording(deadLetters, record, changes, ['replayMany', 'discardMany']);
}

function many(action: AuditAction, filter: DeadLetterFilter = {}): OperatorEvent {
  return {
    action,
    subject: 'dead-letters',
    tenantId: tenantIdOf(filter.tenant),
    details: { ...filter },
  };
}

export function auditedSchedules(schedules: Schedules, record: RecordEvent): Schedules {
  const change = async (
    action: AuditAction,
    name: string,
    details?: (before: object) => Record<string, unknown>,
  ): Promise<OperatorEvent> => {
    const entry = await schedules.get(name);
    return {
      action,
      subject: `schedule/${name}`,
      tenantId: tenantIdOf(entry.tenant),
      details: details?.(entry),
    };
  };
  return recording(schedules, record, {
    add: (entry) => ({
      action: 'schedule.added',
      subject: `schedule/${entry.name}`,
      details: differenceOf(undefined, entry),
    }),
    edit: (name, changes) =>
      change('schedule.changed', name, (entry) => {
        const fields = Object.entries(entry).filter(([field]) => field in changes);
        return differenceOf(Object.fromEntries(fields), changes);
      }),
    remove: (name) => change('schedule.removed', name),
    pause: (name, reason) => change('schedule.paused', name, () => ({ after: { paused: reason ?? true } })),
    resume: (name) => change('schedule.resumed', name),
    run: (name) => change('schedule.run', name),
    backfill: (name, { from, to }) =>
      change('schedule.backfilled', name, () => ({ from: from.toISOString(), to: to.toISOString() })),
  });
}

/** The platform's tasks have none. */
function tenantIdOf(tenant: string | number | null | undefined): number | undefined {
  const id = Number(tenant ?? '');
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}
