/** JSON Schemas of the wire contract's headers. Each name is that of the framework; one that is not described here does not compile. */
import { DEAD_REASONS, DeadHeader, ServerHeader, TaskHeader } from '@stratum/jobs';
import { traceParent, traceState } from '@stratum/jobs/internal';
import type { JsonSchema } from './json-schema.js';

type Described<Names extends Record<string, string>> = Record<Names[keyof Names], JsonSchema>;

const text = (description: string): JsonSchema => ({ type: 'string', description });
const count = (description: string): JsonSchema => ({ type: 'string', pattern: '^\\d{1,15}$', description });
const seconds = (description: string): JsonSchema => ({
  type: 'string',
  pattern: '^\\d{1,9}(\\.\\d{1,6})?$',
  description,
});
const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description });
const formed = ({ pattern, description }: typeof traceParent): JsonSchema => ({
  type: 'string',
  pattern: pattern.source,
  description: `W3C trace context: ${description}.`,
});
const BY_STRATUM = 'Set by Stratum; leave it out.';

const TASK_HEADERS: Described<typeof TaskHeader> = {
  [TaskHeader.MaxRetries]: count("Retries after the first attempt, instead of the task's own."),
  [TaskHeader.SoftTimeLimit]: seconds("Soft limit in seconds, instead of the task's own."),
  [TaskHeader.TimeLimit]: seconds("Hard limit in seconds, instead of the task's own."),
  [TaskHeader.Expires]: time('Not started after this time: the task ends as EXPIRED.'),
  [TaskHeader.NotBefore]: count('Not started before this time, in milliseconds since 1970.'),
  [TaskHeader.ParentId]: text('The task that has enqueued this one.'),
  [TaskHeader.RootId]: text('The first of the family.'),
  [TaskHeader.TraceParent]: formed(traceParent),
  [TaskHeader.TraceState]: formed(traceState),
  [TaskHeader.EnqueuedAt]: time('When the task was first accepted. Default: when the message was stored.'),
  [TaskHeader.Retries]: count(`Retries so far. ${BY_STRATUM}`),
  [TaskHeader.Snoozes]: count(`How often the task has asked to wait. ${BY_STRATUM}`),
  [TaskHeader.Deliveries]: count(`Deliveries of this attempt by messages before this one. ${BY_STRATUM}`),
  [TaskHeader.HandBacks]: count(`How many of those deliveries were handed back. ${BY_STRATUM}`),
  [TaskHeader.Held]: text(
    `On a copy that stands in for a task which a worker has taken out of its order: the sequence of its message, and who took it. ${BY_STRATUM}`,
  ),
  [TaskHeader.UnknownFor]: count(
    `How long it has waited for a worker that knows it, in milliseconds. ${BY_STRATUM}`,
  ),
  [TaskHeader.RateTurn]: text(`Its turn at a rate limit. ${BY_STRATUM}`),
  [TaskHeader.WaitsFor]: text(`What it waits for in its durable steps. ${BY_STRATUM}`),
  [TaskHeader.AwaitedBy]: text(`The run that has called it, and the place of its step. ${BY_STRATUM}`),
  [TaskHeader.KeyWait]: text(`The limit and key that it waits for. ${BY_STRATUM}`),
  [TaskHeader.UnreachableSince]: time(`Since when a dependency of the task cannot be reached. ${BY_STRATUM}`),
  [TaskHeader.History]: text(
    `The last failed attempts, as percent-encoded JSON: [{attempt, at, worker, error}]. ${BY_STRATUM}`,
  ),
  [TaskHeader.Workflow]: text(`This task's place in a workflow. ${BY_STRATUM}`),
  [TaskHeader.ScheduledBy]: text(`The schedule entry and its tick: "<entry> <RFC 3339>". ${BY_STRATUM}`),
  [TaskHeader.Steps]: text(`An earlier attempt has remembered steps. ${BY_STRATUM}`),
  [TaskHeader.ReplayOf]: count(`The sequence of the dead letter that it was replayed from. ${BY_STRATUM}`),
  [TaskHeader.KeepRecord]: text('Any text: a success leaves a record, whatever the contract says.'),
  [TaskHeader.FreshId]: text(`The id was generated for this message. ${BY_STRATUM}`),
  [TaskHeader.UniqueKey]: text(`The unique key that the task holds. ${BY_STRATUM}`),
  [TaskHeader.UniqueFor]: text(
    `The unique key that the task has taken for a period: "<key> <milliseconds>". ${BY_STRATUM}`,
  ),
};

const DEAD_HEADERS: Described<typeof DeadHeader> = {
  [DeadHeader.Reason]: { type: 'string', enum: [...DEAD_REASONS], description: 'Why it failed for good.' },
  [DeadHeader.Error]: text("The error's type and message, in one line."),
  [DeadHeader.At]: time('When it was dead-lettered.'),
  [DeadHeader.Attempts]: count('How often it was tried.'),
  [DeadHeader.Worker]: text('The worker of the last attempt; absent when no worker reported it.'),
  [DeadHeader.Subject]: text('The subject to publish it on again.'),
};

/** Of a task to run now. */
export const taskHeaders: JsonSchema = {
  type: 'object',
  description: 'All are optional. One that does not parse counts as absent.',
  properties: {
    [ServerHeader.MsgId]: text(
      'Messages with the same id within two minutes are stored once. Use the id of the task.',
    ),
    [ServerHeader.ExpectedLastSubjectSequence]: {
      type: 'string',
      const: '0',
      description: 'Refuse it while a task on the same subject is queued or running.',
    },
    ...TASK_HEADERS,
  },
};

/** Of a task to run later, on its own subject. */
export const delayedHeaders: JsonSchema = {
  type: 'object',
  required: [ServerHeader.Schedule, ServerHeader.ScheduleTarget],
  properties: {
    [ServerHeader.Schedule]: {
      type: 'string',
      pattern: '^@at .+$',
      description: '"@at <RFC 3339>": when the server moves it into its queue.',
    },
    [ServerHeader.ScheduleTarget]: text('The subject of the task to run, with the same queue and id.'),
    [ServerHeader.MsgId]: text(
      'Messages with the same id within two minutes are stored once. Use the id of the task.',
    ),
    ...TASK_HEADERS,
  },
};

/** Of a dead letter: those of the task as it was, and these. */
export const deadLetterHeaders: JsonSchema = {
  type: 'object',
  required: [DeadHeader.Reason, DeadHeader.Error, DeadHeader.At, DeadHeader.Attempts, DeadHeader.Subject],
  properties: { ...DEAD_HEADERS, ...TASK_HEADERS },
};
