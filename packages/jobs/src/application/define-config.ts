/** An application declared in one place: its queues, tasks and schedule, for its own programs, the command and the API. */
import { z } from 'zod';
import { JobsError } from '../errors.js';
import { resolveEntry } from '../schedule/declare.js';
import type { ScheduleEntryOptions } from '../schedule/entry.js';
import type { TaskContract } from '../task/define-task.js';
import {
  defineTopology,
  type QueueOptions,
  type Topology,
  type TopologyOptions,
} from '../topology/define.js';
import { isToken, PRIORITIES } from '../wire/names.js';
import { MAX_SHARDS } from '../values/bounds.js';

export interface StratumConfigOptions extends TopologyOptions {
  /** Contracts of the application's tasks. */
  tasks: readonly TaskContract[];
  /** Schedule entries, for `createScheduler`. Default: none. */
  schedules?: readonly ScheduleEntryOptions[];
  /** Tasks that a tenant's API key may enqueue. Default: none; keys of the platform may enqueue all. */
  tenantTasks?: readonly TaskContract[];
}

export interface StratumConfig {
  readonly topology: Topology;
  readonly tasks: readonly TaskContract[];
  readonly schedules: readonly ScheduleEntryOptions[];
  readonly tenantTasks: readonly TaskContract[];
  /** The options as given: the command reads them, and resolves them with its own copy of this package. */
  readonly options: StratumConfigOptions;
}

const token = z.string().refine(isToken, 'must be 1 to 64 characters of A–Z, a–z, 0–9, "_" and "-"');
const count = z.int().min(1);

/** By structure: the contract may come from another copy of this package, and its schemas from another copy of zod. */
const contract = z.custom<TaskContract>(
  (value) => contractShape.safeParse(value).success,
  'must be a contract made by defineTask',
);
const schema = z.custom((value) => typeof value === 'object' && value !== null && 'safeParse' in value);
const contractShape = z.object({ name: token, queue: token, input: schema, output: schema });

const optionsSchema = z.strictObject({
  prefix: token.optional(),
  queues: z
    .array(
      z.strictObject({
        name: token,
        weight: z.enum(PRIORITIES).optional(),
        shards: count.max(MAX_SHARDS).optional(),
        drain: count.max(MAX_SHARDS).optional(),
      } satisfies Record<keyof QueueOptions, z.ZodType>),
    )
    .min(1),
  tasks: z.array(contract),
  schedules: z.array(z.looseObject({ name: z.string(), task: z.string() })).optional(),
  tenantTasks: z.array(contract).optional(),
  replicas: count.max(5).optional(),
  ackWaitMs: count.optional(),
  maxDeliver: count.optional(),
  resultExpiresMs: count.optional(),
  maxPayloadBytes: count.optional(),
  maxResultBytes: count.optional(),
  deadLettersExpireMs: count.optional(),
  eventsExpireMs: count.optional(),
  eventsMaxBytes: count.optional(),
  workflowsExpireMs: count.optional(),
} satisfies Record<keyof StratumConfigOptions, z.ZodType>);

/**
 * Declares an application; nothing is created on the server until `reconcileTopology`.
 * @throws JobsError `invalid_configuration` that names every wrong field
 */
export function defineConfig(options: StratumConfigOptions): StratumConfig {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) throw invalid(parsed.error.issues.map(describe));
  const { tasks, schedules = [], tenantTasks = [], ...topologyOptions } = options;
  const problems = [
    ...repeated('queues', options.queues),
    ...repeated('tasks', tasks),
    ...repeated('schedules', schedules),
    ...unknownQueues(options),
    ...unknownTenantTasks(tasks, tenantTasks),
  ];
  if (problems.length > 0) throw invalid(problems);
  const topology = defineTopology(topologyOptions);
  const wrongEntries = schedules.flatMap((entry, index) => {
    const problem = entryProblem(entry, topology, tasks);
    return problem === undefined ? [] : [`schedules[${index}]: ${problem}`];
  });
  if (wrongEntries.length > 0) throw invalid(wrongEntries);
  return Object.freeze({
    topology,
    tasks: Object.freeze([...tasks]),
    schedules: Object.freeze([...schedules]),
    tenantTasks: Object.freeze([...tenantTasks]),
    options: Object.freeze({ ...options }),
  });
}

function repeated(field: string, items: readonly { name: string }[]): string[] {
  return items.flatMap(({ name }, index) =>
    items.findIndex((other) => other.name === name) === index
      ? []
      : [`${field}[${index}].name: "${name}" is used twice`],
  );
}

function unknownQueues({ queues, tasks }: StratumConfigOptions): string[] {
  const names = queues.map(({ name }) => name);
  return tasks.flatMap(({ name, queue }, index) =>
    names.includes(queue)
      ? []
      : [
          `tasks[${index}].queue: task "${name}" has the queue "${queue}", but the queues are: ${names.join(', ')}`,
        ],
  );
}

function unknownTenantTasks(tasks: readonly TaskContract[], tenantTasks: readonly TaskContract[]): string[] {
  return tenantTasks.flatMap((each, index) =>
    tasks.includes(each) ? [] : [`tenantTasks[${index}]: task "${each.name}" is missing from tasks`],
  );
}

function entryProblem(
  entry: ScheduleEntryOptions,
  topology: Topology,
  contracts: readonly TaskContract[],
): string | undefined {
  try {
    resolveEntry(entry, { topology, contracts, source: 'code', now: 0 });
    return undefined;
  } catch (error) {
    if (error instanceof JobsError) return error.message.replace(/\.$/, '');
    throw error;
  }
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  const field = path.replace(/^\./, '') || '(configuration)';
  if (issue.code === 'unrecognized_keys') {
    const known =
      field === '(configuration)' ? `; the fields are: ${Object.keys(optionsSchema.shape).join(', ')}` : '';
    return `${field}: unknown field ${issue.keys.map((key) => `"${key}"`).join(', ')}${known}`;
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return `${field}: ${missing ? 'is missing' : issue.message}`;
}

function invalid(problems: readonly string[]): JobsError {
  return new JobsError(
    'invalid_configuration',
    `The application's configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    { details: { problems } },
  );
}
