/**
 * Starts a workflow:
 *
 *     mark as active → manifest (the first with an id decides) → parts → state → enqueue the first steps
 *
 * If the process dies midway, workflow maintenance or a repeated start continues.
 */
import { newId } from '../values/new-id.js';
import type { NatsConnection } from '@nats-io/nats-core';
import { InvalidWorkflowError, JobsError } from '../errors.js';
import { errorRecord } from '../record/error-record.js';
import type { TaskContract } from '../task/define-task.js';
import type { Topology } from '../topology/define.js';
import { requireTenant, requireToken } from '../wire/names.js';
import { workflowKeys } from './bucket.js';
import { MAX_DEFINITION_BYTES, type WorkflowDefinition } from './definition.js';
import { traceParent, traceState } from '../values/trace-context.js';
import type { WorkflowEngine } from './engine.js';
import { resolveDefinition } from './resolve.js';
import { GROUP_PORTION } from './plan.js';
import { digestOf, type Manifest } from './runs.js';

export interface StartWorkflowOptions {
  /** 1 to 58 characters of A–Z, a–z, 0–9, "_" and "-". Default: a random UUID. The same id is started once, however long ago. */
  id?: string;
  /** The tenant of every step. A step of another tenant is refused. Default: each step's own. */
  tenant?: string | number;
  /** The task that starts it, and the first of the family. */
  parentId?: string;
  rootId?: string;
  /** W3C trace context that its tasks belong to. */
  traceParent?: string;
  traceState?: string | undefined;
}

export interface WorkflowStarted {
  id: string;
  /** A workflow with this id existed; nothing new was started. */
  duplicate: boolean;
}

const MAX_ID_LENGTH = 58;
/** A larger definition is stored in parts of this size: brokers take messages of 1 MiB unless told otherwise. */
const PART_BYTES = 512 * 1024;

export class WorkflowStarter {
  private readonly queues: ReadonlySet<string>;

  constructor(
    private readonly connection: NatsConnection,
    private readonly topology: Topology,
    private readonly engine: WorkflowEngine,
    private readonly contracts: readonly TaskContract[],
  ) {
    this.queues = new Set(topology.queues.map(({ name }) => name));
  }

  /** @throws InvalidWorkflowError */
  async start(definition: unknown, options: StartWorkflowOptions = {}): Promise<WorkflowStarted> {
    const id = workflowId(options.id);
    const tenant = options.tenant === undefined ? undefined : requireTenant(options.tenant);
    const resolved = resolveDefinition(definition, {
      contracts: this.contracts,
      tenant,
      queues: this.queues,
      maxPayloadBytes: Math.min(this.topology.maxPayloadBytes, this.connection.info?.max_payload ?? Infinity),
    });
    return this.store(
      manifestOf(id, { ...options, tenant, owner: tenant ?? resolved.owner }),
      resolved.definition,
    );
  }

  /** Records that a published definition is invalid, under the id where its publisher looks for it. */
  async refuse(id: string, tenant: string | undefined, error: InvalidWorkflowError): Promise<void> {
    const { runs, states } = this.engine;
    await this.index({ id, owner: tenant ?? null });
    const manifest = { ...manifestOf(id, { tenant, owner: tenant }), definition: null, parts: 0, digest: '' };
    const standing = await runs.create(manifest);
    if (standing !== undefined && standing.manifest.digest !== '') return;
    // A definition can have thousands of problems, and a state has to fit into a message.
    await states.refuse(manifest, { ...errorRecord(error, false), stack: null });
  }

  /** Continues an interrupted start. `false` if parts of the definition are missing: only its owner can continue then. */
  async goOn(manifest: Manifest): Promise<boolean> {
    const run = await this.engine.runs.load(manifest.id);
    if (run === undefined) return false;
    await this.engine.states.begin(manifest);
    await this.engine.enter(run, run.plan.root);
    return true;
  }

  /** So that its tenant finds it. An entry for another tenant's workflow has no effect: lists look at the workflow's owner. */
  async index({ id, owner }: Pick<Manifest, 'id' | 'owner'>): Promise<void> {
    if (owner !== null) await this.engine.bucket.create(workflowKeys.owner(owner, id), '{}');
  }

  private async store(
    facts: Omit<Manifest, 'definition' | 'parts' | 'digest'>,
    definition: WorkflowDefinition,
  ): Promise<WorkflowStarted> {
    const { bucket, runs } = this.engine;
    const { id } = facts;
    const text = JSON.stringify(definition);
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > MAX_DEFINITION_BYTES) {
      const message = `the definition is ${bytes.length} bytes; at most ${MAX_DEFINITION_BYTES} are allowed. Pass ids, not objects`;
      throw new InvalidWorkflowError([{ path: '', message }]);
    }
    const digest = digestOf(text);
    const parts = bytes.length <= PART_BYTES ? 0 : Math.ceil(bytes.length / PART_BYTES);
    const manifest = { ...facts, definition: parts === 0 ? definition : null, parts, digest };
    const standing = await runs.manifest(id);
    if (standing === undefined)
      await Promise.all([bucket.put(workflowKeys.active(id), '{}'), this.index(facts)]);
    const other = standing ?? (await runs.create(manifest));
    const isFirst = other === undefined;
    const first = other?.manifest ?? manifest;
    if (first.owner !== facts.owner) {
      throw new JobsError(
        'invalid_options',
        `id is "${id}", which a workflow of another tenant has. Choose another one.`,
        {
          details: { field: 'id' },
        },
      );
    }
    // A repeated start may complete an interrupted one.
    if (first.digest !== digest) return { id, duplicate: true };
    if (isFirst || (await this.isUnfinished(id))) {
      await Promise.all(
        Array.from({ length: parts }, (_, part) =>
          bucket.create(
            workflowKeys.part(id, part),
            bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES),
          ),
        ),
      );
      await this.goOn(first);
    }
    return { id, duplicate: !isFirst };
  }

  private async isUnfinished(id: string): Promise<boolean> {
    const state = await this.engine.states.read(id);
    return state === undefined || state.state === 'STARTED';
  }
}

function manifestOf(
  id: string,
  {
    tenant,
    owner,
    parentId,
    rootId,
    traceParent: parent,
    traceState: state,
  }: Omit<StartWorkflowOptions, 'tenant'> & { tenant: string | undefined; owner: string | undefined },
): Omit<Manifest, 'definition' | 'parts' | 'digest'> {
  return {
    id,
    tenant: tenant ?? null,
    owner: owner ?? null,
    started_at: new Date().toISOString(),
    group_portion: GROUP_PORTION,
    parent_id: parentId ?? null,
    root_id: rootId ?? null,
    traceparent: parent === undefined ? null : traceParent.require('traceParent', parent),
    tracestate: state === undefined ? null : traceState.require('traceState', state),
  };
}

/** Leaves room for a step's number in a task's id. */
function workflowId(given: string | undefined): string {
  if (given === undefined) return newId();
  if (requireToken(given, 'id').length <= MAX_ID_LENGTH) return given;
  throw new JobsError(
    'invalid_options',
    `id is ${given.length} characters long; the id of a workflow has at most ${MAX_ID_LENGTH}.`,
    { details: { field: 'id' } },
  );
}
