/** The wire contract as an AsyncAPI 3.0 document, seen from Stratum: it receives what others publish, and sends what they subscribe to. */
import { DEAD_REASONS, EVENT_STATES, PRIORITIES, type Names, type TaskContract } from '@stratum/jobs';
import { payloadSchema } from '@stratum/shared';
import { z } from 'zod';
import { deadLetterHeaders, delayedHeaders, taskHeaders } from './header-schemas.js';
import type { JsonSchema } from './json-schema.js';
import { eventSchema, recordSchema, resultSchema, workflowStateSchema } from './json-schemas.js';

export interface AsyncApiParts {
  names: Names;
  queues: readonly string[];
  contracts: readonly TaskContract[];
  version: string;
}

interface Channel {
  address: string | null;
  title: string;
  description: string;
  parameters?: Record<string, object>;
  messages: Record<string, { $ref: string }>;
}

const DIALECT = 'draft-7';

const ID = {
  description: 'Id of the task: 1 to 64 of A–Z, a–z, 0–9, "_" and "-". Make it up, for example a UUID.',
};
const TENANT = { description: 'Id of the tenant, or "_" for work that belongs to none.' };

const WORKFLOW_ID = { description: 'Id of the workflow: 1 to 58 of A–Z, a–z, 0–9, "_" and "-".' };

/** Stands for itself in a subject; the names' own functions put it in its place. */
const PLACE = { tenant: '{tenant}', task: '{task}', id: '{id}' } as const;

export function asyncApiDocument(parts: AsyncApiParts): JsonSchema {
  const { names, queues, contracts, version } = parts;
  const ofQueue = (queue: string): TaskContract[] => contracts.filter((contract) => contract.queue === queue);
  const channels: Record<string, Channel & Record<`x-${string}`, unknown>> = {};
  const operations: Record<string, object> = {};
  for (const queue of queues) {
    const tasks = ofQueue(queue);
    channels[`tasks_${queue}`] = {
      ...tasksChannel(names, queue, tasks),
      'x-stream': names.queueStream(queue),
    };
    channels[`delayed_${queue}`] = {
      ...delayedChannel(names, queue, tasks),
      'x-stream': names.queueStream(queue),
    };
    channels[`requests_${queue}`] = {
      ...requestsChannel(names, queue, tasks),
      'x-queue-group': 'enqueue-desk',
    };
    operations[`request_${queue}`] = {
      ...receives(`requests_${queue}`, `Checks and enqueues a task of the queue "${queue}".`),
      reply: { channel: { $ref: '#/channels/enqueued' } },
    };
    operations[`enqueue_${queue}`] = receives(`tasks_${queue}`, `Runs a task of the queue "${queue}".`);
    operations[`delay_${queue}`] = receives(`delayed_${queue}`, `Runs a task of "${queue}" later.`);
  }
  channels['results'] = {
    address: names.resultNotice(PLACE.id),
    title: 'Stored records',
    description: `The record of a task, each time it is stored. The newest one is also the value of the key in the bucket ${names.resultBucket}, for 24 hours.`,
    parameters: { id: ID },
    messages: messages('record'),
    'x-stream': names.resultStream,
    'x-bucket': names.resultBucket,
  };
  channels['await'] = {
    address: names.awaitSubject(PLACE.tenant, PLACE.id),
    title: 'Requests for a result',
    description:
      "A request for a tenant's result. The reply is the record once the task has ended, or the current one when the wait runs out; Nats-Service-Error-Code 404 when the tenant has no such task.",
    parameters: { tenant: TENANT, id: ID },
    messages: messages('question'),
  };
  channels['answer'] = {
    address: null,
    title: 'Answers',
    description: 'The inbox of the requester.',
    messages: messages('record'),
  };
  channels['enqueued'] = {
    address: null,
    title: 'Answers to requests to enqueue',
    description: 'The inbox of the requester.',
    messages: messages('enqueued'),
  };
  channels['events'] = {
    address: names.eventSubject('{queue}', PLACE.task, '{state}'),
    title: 'State changes',
    description: 'Every state change of every task, stored once by its id, for 7 days.',
    parameters: {
      queue: { enum: [...queues] },
      task: taskParameter(contracts),
      state: { enum: EVENT_STATES.map((state) => state.toLowerCase()) },
    },
    messages: messages('event'),
    'x-stream': names.eventStream,
  };
  channels['dead_letters'] = {
    address: names.deadSubject('{queue}', PLACE.task, PLACE.id),
    title: 'Dead letters',
    description:
      'Tasks that failed for good, with body and headers as they were, for 30 days. Publish one on its Dead-Subject to run it again.',
    parameters: { queue: { enum: [...queues] }, task: taskParameter(contracts), id: ID },
    messages: messages('dead_letter'),
    'x-stream': names.deadStream,
  };
  channels['dead_letter_index'] = {
    address: indexAddress(names),
    title: 'Index of the dead letters',
    description:
      'One message for each dead letter, in their order, as long as the letter: its subject says whose letter it is and why. The reaper writes it behind the letters.',
    parameters: {
      tenant: TENANT,
      reason: { enum: [...DEAD_REASONS] },
      queue: { enum: [...queues] },
      task: taskParameter(contracts),
      sequence: { description: 'Sequence of the letter in its stream.' },
    },
    messages: messages('dead_letter_entry'),
    'x-stream': names.deadIndexStream,
  };
  channels['workflow_starts'] = {
    address: names.workflowStartSubject(PLACE.tenant, PLACE.id),
    title: 'Workflows to start',
    description: 'A workflow, started once by its id. See docs/write-tasks/workflows.md.',
    parameters: { tenant: TENANT, id: WORKFLOW_ID },
    messages: messages('workflow_definition'),
    'x-stream': names.workflowStartStream,
  };
  channels['workflow_states'] = {
    address: names.workflowNotice(PLACE.id),
    title: 'States of workflows',
    description: `The state of a workflow, each time it is stored. The newest one is also the value of the key state.{id} in the bucket ${names.workflowBucket}.`,
    parameters: { id: WORKFLOW_ID },
    messages: messages('workflow_state'),
    'x-stream': names.workflowStream,
    'x-bucket': names.workflowBucket,
  };
  operations['start_workflow'] = receives('workflow_starts', 'Starts a workflow.');
  operations['tell_workflow_state'] = sends('workflow_states', 'Publishes the state of a workflow.');
  operations['index_dead_letter'] = sends('dead_letter_index', 'Adds a dead letter to the index.');
  operations['tell_result'] = sends('results', 'Publishes the record of a task.');
  operations['tell_event'] = sends('events', 'Publishes a state change.');
  operations['deadLetter'] = sends('dead_letters', 'Keeps a task that failed for good.');
  operations['answer_result'] = {
    ...receives('await', "Answers a request for a tenant's result."),
    reply: { channel: { $ref: '#/channels/answer' } },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Stratum',
      version,
      description:
        'Background work over NATS JetStream. Stratum receives tasks from any NATS client, and sends results, state changes and dead letters. See docs/write-tasks/publishing.md for clients, and the JSON Schemas beside this document.',
    },
    defaultContentType: 'application/json',
    servers: {
      local: {
        host: '127.0.0.1:4222',
        protocol: 'nats',
        description: 'NATS server 2.12.6 or newer with JetStream, for example that of `npm start`.',
      },
    },
    channels,
    operations,
    components: {
      messages: messageComponents(contracts),
      schemas: withSharedParts(schemaComponents(contracts)),
    },
  };
}

function tasksChannel(names: Names, queue: string, tasks: readonly TaskContract[]): Channel {
  return {
    address: names.taskSubject({ queue, priority: '*', ...PLACE }).replace('*', '{priority}'),
    title: `Tasks of the queue "${queue}"`,
    description: 'A task to run now. The body is its payload and nothing else.',
    parameters: {
      priority: { enum: [...PRIORITIES], default: 'normal', description: 'Lane within the queue.' },
      tenant: TENANT,
      task: taskParameter(tasks),
      id: ID,
    },
    messages: messages(...tasks.map(({ name }) => name)),
  };
}

function requestsChannel(names: Names, queue: string, tasks: readonly TaskContract[]): Channel {
  return {
    address: names.enqueueSubject({ queue, priority: '{priority}', ...PLACE }),
    title: `Requests to enqueue into "${queue}"`,
    description:
      'A request to enqueue, from a producer that is not trusted. The body is the payload. The answer has the stored id; Nats-Service-Error-Code with a problem that names the field where nothing was stored. Besides the headers of a task, Task-Debounce-Key (any text), Task-Debounce-Quiet and Task-Debounce-Max (seconds): of requests with one key that come in quick succession the last one runs.',
    parameters: {
      tenant: { description: 'Id of the tenant.' },
      priority: { enum: [...PRIORITIES], default: 'normal', description: 'Lane within the queue.' },
      task: taskParameter(tasks),
      id: ID,
    },
    messages: messages(...tasks.map(({ name }) => name)),
  };
}

function delayedChannel(names: Names, queue: string, tasks: readonly TaskContract[]): Channel {
  return {
    address: names.delayedSubject(queue, PLACE.id),
    title: `Tasks of the queue "${queue}" for later`,
    description:
      "A task that the server moves into its queue when it is due. For programs of the platform's own account; Task-Not-Before on the ordinary subject comes to the same.",
    parameters: { id: ID },
    messages: messages(...tasks.map(({ name }) => `${name}.delayed`)),
  };
}

function indexAddress(names: Names): string {
  const entry = { tenant: PLACE.tenant, reason: '{reason}', queue: '{queue}', task: PLACE.task };
  return names.deadIndexSubject({ ...entry, sequence: '*' }).replace('*', '{sequence}');
}

function taskParameter(tasks: readonly TaskContract[]): object {
  return { enum: tasks.map(({ name }) => name), description: 'Name of the task.' };
}

function messages(...names: readonly string[]): Channel['messages'] {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
}

function receives(channel: string, summary: string): Record<string, unknown> {
  return { action: 'receive', channel: { $ref: `#/channels/${channel}` }, summary };
}

function sends(channel: string, summary: string): Record<string, unknown> {
  return { action: 'send', channel: { $ref: `#/channels/${channel}` }, summary };
}

const SCHEMAS = '#/components/schemas/';
const schemaRef = (name: string): { $ref: string } => ({ $ref: `${SCHEMAS}${name}` });

function messageComponents(contracts: readonly TaskContract[]): Record<string, object> {
  const components: Record<string, object> = {};
  for (const { name, description } of contracts) {
    const message = { name, summary: description, payload: schemaRef(`${name}.payload`) };
    components[name] = {
      ...message,
      title: name,
      headers: schemaRef('task_headers'),
      'x-result': schemaRef(`${name}.result`),
    };
    components[`${name}.delayed`] = {
      ...message,
      title: `${name}, later`,
      headers: schemaRef('delayed_headers'),
    };
  }
  components['enqueued'] = {
    name: 'enqueued',
    title: 'Enqueued',
    summary: 'The task is stored, or was before.',
    payload: schemaRef('enqueued'),
  };
  components['record'] = {
    name: 'record',
    title: 'Record of a task',
    summary: 'Its `result` is described by the x-result of the task.',
    payload: schemaRef('record'),
  };
  components['event'] = { name: 'event', title: 'State change', payload: schemaRef('event') };
  components['dead_letter'] = {
    name: 'dead_letter',
    title: 'Dead letter',
    headers: schemaRef('dead_letter_headers'),
    payload: { description: 'The payload as it was, which may be the reason.' },
  };
  components['dead_letter_entry'] = {
    name: 'dead_letter_entry',
    title: 'Entry of a dead letter',
    contentType: 'text/plain',
    payload: { type: 'string', description: 'Subject of the letter.' },
  };
  components['workflow_definition'] = {
    name: 'workflow_definition',
    title: 'Workflow',
    payload: { type: 'object', description: 'A step, or an object with chain, group or chord.' },
  };
  components['workflow_state'] = {
    name: 'workflow_state',
    title: 'State of a workflow',
    payload: schemaRef('workflow_state'),
  };
  components['question'] = {
    name: 'question',
    title: 'Request for a result',
    payload: schemaRef('question'),
    examples: [{ payload: { wait: 30 } }],
  };
  return components;
}

/** Parts that a schema defines by name, such as one that contains itself, become schemas of the document: references start at its root. */
function withSharedParts(schemas: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const all: Record<string, JsonSchema> = {};
  for (const [name, { definitions = {}, ...schema }] of Object.entries(schemas))
    Object.assign(all, definitions, { [name]: schema });
  const moved = z.record(z.string(), z.record(z.string(), z.unknown()));
  return moved.parse(JSON.parse(JSON.stringify(all).replaceAll('"#/definitions/', `"${SCHEMAS}`)));
}

function schemaComponents(contracts: readonly TaskContract[]): Record<string, JsonSchema> {
  return {
    ...Object.fromEntries(
      contracts.flatMap((contract) => [
        [`${contract.name}.payload`, payloadSchema(contract, DIALECT)],
        [`${contract.name}.result`, resultSchema(contract, DIALECT)],
      ]),
    ),
    record: recordSchema(DIALECT),
    event: eventSchema(DIALECT),
    workflow_state: workflowStateSchema(DIALECT),
    enqueued: {
      type: 'object',
      properties: {
        id: { type: 'string', description: 'Id of the stored task, for requests of its result.' },
        state: { type: 'string' },
        duplicate: { type: 'boolean', description: 'The same request had enqueued it before.' },
      },
      required: ['id', 'state', 'duplicate'],
    },
    question: {
      type: 'object',
      properties: {
        wait: { type: 'number', minimum: 0, maximum: 60, default: 30, description: 'Seconds.' },
      },
    },
    task_headers: taskHeaders,
    delayed_headers: delayedHeaders,
    dead_letter_headers: deadLetterHeaders,
  };
}
