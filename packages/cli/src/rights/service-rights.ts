/**
 * What each user of the platform's own account may do: the one source of `deploy/nats` and of the tables about it. These rights guard against
 * mistakes and limit what a service can break; who may publish into a stream may also set its headers and reply subjects, so nobody outside of
 * the platform gets a user of this account.
 */
import type { Names } from '@stratum/jobs';
import { scopedName } from '@stratum/jobs/internal';
import type { QueueName } from '@stratum/shared/broker';

export interface User {
  name: string;
  /** In the words of the table. */
  does: string;
  publish: readonly string[];
  /** Of what `publish` allows. */
  deny?: readonly string[];
  subscribe: readonly string[];
}

/** Requests that change nothing. */
const READ_JETSTREAM = [
  '$JS.API.INFO',
  '$JS.API.STREAM.NAMES',
  '$JS.API.STREAM.LIST',
  '$JS.API.STREAM.INFO.*',
  '$JS.API.STREAM.MSG.GET.*',
  '$JS.API.DIRECT.GET.>',
  '$JS.API.CONSUMER.NAMES.*',
  '$JS.API.CONSUMER.LIST.*',
  '$JS.API.CONSUMER.INFO.*.*',
];
/** To requesters of this account, and of others. */
const ANSWERS = ['_INBOX.>', '_R_.>'];
const INSPECT = ['ping', 'stats', 'active', 'reserved', 'scheduled', 'registered'];
const DISCOVER = ['PING', 'INFO', 'STATS'].flatMap((verb) => [`$SRV.${verb}`, `$SRV.${verb}.>`]);

export function serviceUsers(names: Names, queues: readonly QueueName[]): User[] {
  const { prefix } = names;
  const all = (user: string): readonly string[] => [`_INBOX.${user}.>`, `${prefix}.>`, '$KV.>', '$SRV.>'];
  const platform: User = {
    name: 'platform',
    does: 'Everything of Stratum. For operators and the `stratum` command; no service needs it.',
    // The last one carries the bytes of backups.
    publish: [`${prefix}.>`, '$KV.>', '$JS.API.>', '$JS.ACK.>', '$SRV.>', ...ANSWERS, '$JS.SNAPSHOT.>'],
    subscribe: [...all('platform'), '$JS.EVENT.ADVISORY.>'],
  };
  const streams = queues.flatMap((queue) => streamsOf(names, queue));
  const takeTasks = streams.map((stream) => `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`);
  const control = [`${prefix}.workers.*.shutdown`, `${prefix}.workers.*.concurrency`];
  const api: User = {
    name: 'api',
    does: 'Enqueues, reads, revokes, pauses and purges, edits schedules, stores webhooks and customer events, answers producers. Takes no tasks, stops no workers, deletes no streams.',
    publish: [`${prefix}.>`, '$KV.>', '$JS.API.>', ...ANSWERS],
    deny: [...takeTasks, ...control, '$JS.API.STREAM.DELETE.*'],
    subscribe: all('api'),
  };
  const scheduler: User = {
    name: 'scheduler',
    does: 'Publishes ticks and domain events, moves dead letters, maintains workflows, answers for results. Takes no tasks, stops no workers, deletes no streams.',
    publish: [`${prefix}.>`, '$KV.>', '$JS.API.>', '$JS.ACK.>', '$SRV.>', ...ANSWERS],
    deny: [...takeTasks, ...control, '$JS.API.STREAM.DELETE.*'],
    subscribe: [...all('scheduler'), '$JS.EVENT.ADVISORY.>'],
  };
  const dashboard: User = {
    name: 'dashboard',
    does: 'Reads streams and events, and asks workers what they do. For its controls it pauses and purges queues, revokes tasks, cancels workflows, replays, discards and restores dead letters, runs, pauses and resumes schedule entries, and sets the concurrency of workers or stops them. Takes no tasks, changes no stream.',
    publish: [
      ...READ_JETSTREAM,
      ...DISCOVER,
      ...INSPECT.map((verb) => names.workerSubject('*', verb)),
      ...control,
      ...streams.flatMap((stream) => [
        `$JS.API.CONSUMER.PAUSE.${stream}.*`,
        `$JS.API.STREAM.MSG.DELETE.${stream}`,
      ]),
      // Replayed letters, and entries that are run: the task, its unique key, and the letter that leaves. And discarded letters that come back.
      `${prefix}.tasks.>`,
      names.deadFilter,
      names.lockKeyFilter,
      names.deadIndexFilter,
      `$JS.API.STREAM.MSG.DELETE.${names.deadStream}`,
      `$JS.API.STREAM.PURGE.${names.deadStream}`,
      `$JS.API.STREAM.PURGE.${names.deadIndexStream}`,
      names.scheduleKey('entry.*'),
      // A revoked task: the note for workers, its record, its event, and the end of its workflow's step.
      names.controlKey('revoke.id.*'),
      // A cancelled workflow, too, and the key that it leaves.
      names.controlKey('revoke.workflow.*'),
      `$JS.API.STREAM.PURGE.${names.workflowStream}`,
      // What a revoked task remembers of its steps.
      `$JS.API.STREAM.PURGE.${names.stepStream}`,
      names.resultKey('*'),
      names.eventFilter,
      names.workflowKeyFilter,
      `${prefix}.audit.*`,
    ],
    subscribe: [
      '_INBOX.dashboard.>',
      names.eventFilter,
      names.resultNoticeFilter,
      names.workflowNoticeFilter,
    ],
  };
  return [platform, api, scheduler, dashboard, ...queues.map((queue) => workerUser(names, queue))];
}

/** The queue's own stream, and those of its shards. */
function streamsOf(names: Names, queue: QueueName): string[] {
  return names.carriers(queue).map((carrier) => names.queueStream(carrier));
}

/** What a worker of one queue does beside the tasks of its queue: the consumers that it reads, and what else it publishes. */
const BESIDE: Readonly<Partial<Record<QueueName, (names: Names) => readonly string[]>>> = {
  default: (names) => [
    ...durable(scopedName(names.prefix, 'AUDIT'), 'process-audit-logs'),
    ...ordered(names.eventStream),
    `${names.prefix}.audit.*`,
    `${names.prefix}.audit-anchors.*`,
    // What a deleted tenant or an erased person has left.
    '$JS.API.STREAM.MSG.DELETE.*',
    ...[
      names.resultStream,
      names.lockStream,
      names.deadIndexStream,
      scopedName(names.prefix, 'CUSTOMER_EVENTS'),
      scopedName(names.prefix, 'DOMAIN_EVENTS'),
    ].map((stream) => `$JS.API.STREAM.PURGE.${stream}`),
    names.scheduleKey('>'),
  ],
  rules: ({ prefix }) => [`${prefix}.audit.*`],
  cdp: ({ prefix }) => durable(scopedName(prefix, 'CUSTOMER_EVENTS'), 'ingest'),
};

function workerUser(names: Names, queue: QueueName): User {
  const { prefix } = names;
  const name = `${queue}-worker`;
  return {
    name,
    does: `Takes the tasks of the queue \`${queue}\` and of no other, stores their records, events and dead letters, and enqueues what they enqueue.`,
    publish: [
      ...READ_JETSTREAM,
      ...ANSWERS,
      ...streamsOf(names, queue).flatMap((stream) => [
        ...durable(stream, '*'),
        // A task that is taken out of its order.
        `$JS.API.STREAM.MSG.DELETE.${stream}`,
      ]),
      ...ordered(names.controlStream),
      `$JS.API.STREAM.MSG.DELETE.${names.deadStream}`,
      `$JS.API.STREAM.PURGE.${names.workflowStream}`,
      `$JS.API.STREAM.PURGE.${names.stepStream}`,
      names.stepFilter,
      names.resultKey('*'),
      names.lockKeyFilter,
      names.controlKey('worker.*'),
      // A run that was revoked or has expired: the tasks that it has called end with it.
      names.controlKey('revoke.id.*'),
      // What a service's circuit is at.
      names.controlKey('circuit.>'),
      names.workflowKeyFilter,
      names.eventFilter,
      names.deadFilter,
      // A task, and a workflow that it belongs to, may enqueue into any queue.
      `${prefix}.tasks.>`,
      `${prefix}.delayed.>`,
      names.workflowStartFilter,
      ...(BESIDE[queue]?.(names) ?? []),
    ],
    subscribe: [
      `_INBOX.${name}.>`,
      '$SRV.>',
      names.workerSubject('*', '*'),
      names.resultNoticeFilter,
      names.workflowNoticeFilter,
    ],
  };
}

/** Pulls from a consumer that exists, and acknowledges, in both forms of the subject. */
function durable(stream: string, consumer: string): string[] {
  const place = `${stream}.${consumer}`;
  return [`$JS.API.CONSUMER.MSG.NEXT.${place}`, `$JS.ACK.${place}.>`, `$JS.ACK.*.*.${place}.>`];
}

/** Follows a stream with consumers of its own. */
function ordered(stream: string): string[] {
  return [
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}

/** Services and streams that other accounts may import. */
export interface Export {
  kind: 'service' | 'stream';
  subject: string;
  /** Each request has several answers. */
  many?: boolean;
}

/** What the observer sees. It imports reads only, and its answers go to its own account. */
export function observerImports(names: Names): Export[] {
  const one = READ_JETSTREAM.filter((subject) => !subject.endsWith('.>'));
  const several = [
    ...READ_JETSTREAM.filter((subject) => subject.endsWith('.>')),
    ...DISCOVER,
    ...INSPECT.map((verb) => names.workerSubject('*', verb)),
  ];
  return [
    ...one.map((subject): Export => ({ kind: 'service', subject })),
    ...several.map((subject): Export => ({ kind: 'service', subject, many: true })),
    { kind: 'service', subject: names.awaitSubject('*', '*') },
    ...[names.eventFilter, names.resultNoticeFilter, names.deadFilter].map((subject): Export => ({
      kind: 'stream',
      subject,
    })),
  ];
}
