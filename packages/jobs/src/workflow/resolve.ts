/** Checks a whole definition before any step runs, and completes it from the contracts. */
import { z } from 'zod';
import { InvalidWorkflowError, type WorkflowProblem } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import { contractOf } from './builders.js';
import {
  MAX_DEPTH,
  MAX_MEMBERS,
  MAX_NODES,
  stepSchema,
  type Step,
  type StepOptions,
  type WorkflowDefinition,
} from './definition.js';

export interface ResolveOptions {
  contracts: readonly TaskContract[];
  /** The workflow's tenant. A step of another tenant is refused. */
  tenant: string | undefined;
  /** Size limit of a payload, in bytes. */
  maxPayloadBytes: number;
  /** The existing queues; `undefined` if they are unknown. */
  queues: ReadonlySet<string> | undefined;
}

/** Limit of reported problems. */
const MAX_PROBLEMS = 20;

const groupFields = { group: z.array(z.unknown()), tolerate_failures: z.boolean().optional() };
const chainShape = z.strictObject({ chain: z.array(z.unknown()).min(1) });
const groupShape = z.strictObject(groupFields);
const chordShape = z.strictObject({ chord: z.strictObject({ ...groupFields, callback: z.unknown() }) });

export interface ResolvedDefinition {
  /** Every step names its queue, its priority and, where it has one, its tenant. */
  definition: WorkflowDefinition;
  /** The common tenant of all steps that have one. */
  owner: string | undefined;
}

/** @throws InvalidWorkflowError */
export function resolveDefinition(definition: unknown, options: ResolveOptions): ResolvedDefinition {
  const resolver = new Resolver(options);
  const resolved = resolver.read(definition, { path: '', depth: 1, hasPrevious: false });
  if (resolver.problems.length > 0 || resolved === undefined)
    throw new InvalidWorkflowError(resolver.problems);
  const [owner, ...others] = resolver.owners;
  return { definition: resolved, owner: others.length === 0 ? owner : undefined };
}

interface Place {
  path: string;
  depth: number;
  /** It has a predecessor, whose result it can use. */
  hasPrevious: boolean;
}

class Resolver {
  readonly problems: WorkflowProblem[] = [];
  readonly owners = new Set<string>();
  private readonly contracts: ReadonlyMap<string, TaskContract>;
  private nodes = 0;

  constructor(private readonly options: ResolveOptions) {
    this.contracts = new Map(options.contracts.map((contract) => [contract.name, contract]));
  }

  read(value: unknown, place: Place): WorkflowDefinition | undefined {
    if (this.problems.length >= MAX_PROBLEMS || this.nodes > MAX_NODES) return undefined;
    if (++this.nodes > MAX_NODES)
      return this.refuse(place.path, `a workflow has at most ${MAX_NODES} steps, chains, groups and chords`);
    if (place.depth > MAX_DEPTH)
      return this.refuse(place.path, `workflows can be nested at most ${MAX_DEPTH} levels deep`);
    if (typeof value === 'object' && value !== null) {
      if ('task' in value) return this.readStep(value, place);
      if ('chain' in value) return this.readChain(value, place);
      if ('group' in value) return this.readGroup(value, place);
      if ('chord' in value) return this.readChord(value, place);
    }
    return this.refuse(place.path, 'must be a step (with "task"), a chain, a group or a chord');
  }

  private readChain(value: object, place: Place): WorkflowDefinition | undefined {
    const shape = this.parse(chainShape, value, place.path);
    if (shape === undefined) return undefined;
    return { chain: this.readMembers(shape.chain, 'chain', place) };
  }

  private readGroup(value: object, place: Place): WorkflowDefinition | undefined {
    const shape = this.parse(groupShape, value, place.path);
    if (shape === undefined) return undefined;
    return { ...tolerance(shape), group: this.readMembers(shape.group, 'group', place) };
  }

  private readChord(value: object, place: Place): WorkflowDefinition | undefined {
    const shape = this.parse(chordShape, value, place.path)?.chord;
    if (shape === undefined) return undefined;
    const inside = { ...place, path: join(place.path, 'chord') };
    const group = this.readMembers(shape.group, 'group', inside);
    const callback = this.read(shape.callback, {
      path: join(inside.path, 'callback'),
      depth: place.depth + 1,
      hasPrevious: true,
    });
    return callback && { chord: { ...tolerance(shape), group, callback } };
  }

  private readMembers(
    members: readonly unknown[],
    kind: 'chain' | 'group',
    place: Place,
  ): WorkflowDefinition[] {
    const base = join(place.path, kind);
    if (members.length > MAX_MEMBERS) {
      this.refuse(base, `has ${members.length} members; at most ${MAX_MEMBERS} are allowed`);
      return [];
    }
    return members.flatMap((member, index) => {
      const hasPrevious = place.hasPrevious || (kind === 'chain' && index > 0);
      return this.read(member, { path: `${base}[${index}]`, depth: place.depth + 1, hasPrevious }) ?? [];
    });
  }

  private readStep(value: object, { path, hasPrevious }: Place): Step | undefined {
    const step = this.parse(stepSchema, value, path);
    if (step === undefined) return undefined;
    const contract = contractOf(value) ?? this.contracts.get(step.task);
    const queue = this.queueOf(step, contract, path);
    const { payload = {}, with: references = {} } = step;
    if (!hasPrevious && Object.keys(references).length > 0)
      this.refuse(join(path, 'with'), 'nothing runs before this step, so there is no $previous');
    if (contract !== undefined) this.checkPayload(contract, payload, references, path);
    const body = JSON.stringify(payload);
    const { maxPayloadBytes } = this.options;
    if (body.length * 3 > maxPayloadBytes && Buffer.byteLength(body) > maxPayloadBytes)
      this.refuse(join(path, 'payload'), `is larger than the limit of ${maxPayloadBytes} bytes`);
    const options = this.optionsOf(step, contract, path);
    return {
      task: step.task,
      queue,
      payload,
      options,
      ...(step.with === undefined ? {} : { with: step.with }),
    };
  }

  private queueOf(step: Step, contract: TaskContract | undefined, path: string): string {
    const queue = step.queue ?? contract?.queue;
    const { queues } = this.options;
    if (queue === undefined) {
      const known = [...this.contracts.keys()];
      const advice = known.length === 0 ? 'name its queue' : `the tasks are: ${known.join(', ')}`;
      this.refuse(join(path, 'task'), `there is no task "${step.task}"; ${advice}`);
      return '';
    }
    if (contract !== undefined && queue !== contract.queue)
      this.refuse(join(path, 'queue'), `is "${queue}"; the task "${step.task}" runs in "${contract.queue}"`);
    else if (queues !== undefined && !queues.has(queue))
      this.refuse(
        join(path, 'queue'),
        `there is no queue "${queue}"; the queues are: ${[...queues].join(', ')}`,
      );
    return queue;
  }

  /** Omits problems of fields that are filled in later. */
  private checkPayload(contract: TaskContract, payload: object, references: object, path: string): void {
    const parsed = contract.input.safeParse(payload);
    if (parsed.success) return;
    const isPartial = Object.keys(references).length > 0;
    for (const issue of parsed.error.issues) {
      const [field] = issue.path;
      const comesLater = isPartial && (field === undefined || Object.hasOwn(references, field));
      if (!comesLater) this.refuse(formatPath(join(path, 'payload'), issue.path), issue.message);
    }
  }

  private optionsOf(step: Step, contract: TaskContract | undefined, path: string): StepOptions {
    const { tenant: given, ...options } = step.options ?? {};
    const { soft_time_limit_ms: soft, time_limit_ms: hard } = options;
    if (soft !== undefined && hard !== undefined && soft > hard)
      this.refuse(join(path, 'options.soft_time_limit_ms'), 'must not be above time_limit_ms');
    const own = given === undefined ? tenantOf(contract, step.payload ?? {}) : String(given);
    const { tenant } = this.options;
    if (tenant !== undefined && own !== undefined && own !== tenant) {
      const place = join(path, given === undefined ? 'payload' : 'options.tenant');
      this.refuse(place, `belongs to tenant "${own}", the workflow to tenant "${tenant}"`);
    }
    const owner = tenant ?? own;
    if (owner !== undefined) this.owners.add(owner);
    return {
      ...options,
      priority: options.priority ?? contract?.priority ?? 'normal',
      ...(owner === undefined ? {} : { tenant: owner }),
    };
  }

  private parse<Schema extends z.ZodType>(
    schema: Schema,
    value: unknown,
    path: string,
  ): z.output<Schema> | undefined {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) this.refuse(formatPath(path, issue.path), issue.message);
    return undefined;
  }

  private refuse(path: string, message: string): undefined {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ path, message });
  }
}

function tolerance({ tolerate_failures: tolerates }: { tolerate_failures?: boolean | undefined }): object {
  return tolerates === true ? { tolerate_failures: true } : {};
}

/** A contract may need the complete payload. For one that is completed later, the workflow's tenant applies. */
function tenantOf(contract: TaskContract | undefined, payload: Record<string, unknown>): string | undefined {
  try {
    if (contract !== undefined) return contract.tenantOf(payload);
  } catch {
    return undefined;
  }
  const { tenant_id: tenant } = payload;
  return typeof tenant === 'string' || typeof tenant === 'number' ? String(tenant) : undefined;
}

function join(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`;
}

function formatPath(base: string, rest: readonly PropertyKey[]): string {
  return rest.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : join(path, String(key))),
    base,
  );
}
