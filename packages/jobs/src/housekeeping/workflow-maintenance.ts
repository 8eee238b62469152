/**
 * Maintains workflows: starts those that any NATS client has published, resumes those that are stuck because a process died where no
 * message is delivered again, and removes those that have expired. Several may run: each action can be repeated.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import { Lifetime } from '../broker/lifetime.js';
import { Resources } from '../resources/resources.js';
import { InvalidWorkflowError, JobsError, type WorkflowProblem } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import { WORKFLOW_START_CONSUMER, type Topology } from '../topology/define.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { StreamConsumer } from '../broker/pull/stream-consumer.js';
import { timer } from '../values/bounds.js';
import { roundingProblem } from '../values/read-json.js';
import { WorkflowRounds } from './workflow-rounds.js';
import { WorkflowStarter } from '../workflow/start.js';

export interface WorkflowMaintenanceOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Of the tasks that published workflows may name without their queue. */
  contracts?: readonly TaskContract[];
  /** How long a workflow may stand still before it is looked into, in milliseconds. Default 15,000. */
  roundMs?: number;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
}

export interface WorkflowMaintenance {
  /** Idempotent. */
  start(): void;
  /** Finishes what it has begun, then stops. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when it has stopped: by `stop`, or by itself because its connection is closed for good. */
  readonly closed: Promise<void>;
}

/** Workflows that are being started at once. */
const CONCURRENCY = 8;
const DEFAULT_ROUND_MS = 15_000;

/** Maintenance of all workflows of the topology; run at least one for each prefix that has workflows. */
export function createWorkflowMaintenance(options: WorkflowMaintenanceOptions): WorkflowMaintenance {
  return new WorkflowMaintainer(options);
}

class WorkflowMaintainer implements WorkflowMaintenance {
  private readonly logger: Logger;
  private readonly resources: Resources;
  private readonly starter: WorkflowStarter;
  private readonly rounds: WorkflowRounds;
  private readonly starts: StreamConsumer;
  private readonly life: Lifetime;

  constructor(private readonly options: WorkflowMaintenanceOptions) {
    const { connection, topology, contracts = [], roundMs = DEFAULT_ROUND_MS } = options;
    timer.within({ min: 1 }).require('roundMs', roundMs);
    const logger = guardedLogger(options.logger).child({ part: 'workflow-maintenance' });
    this.logger = logger;
    this.life = new Lifetime(connection, logger);
    this.resources = new Resources({ connection, topology, contracts, logger });
    this.starter = new WorkflowStarter(connection, topology, this.resources.workflows, contracts);
    this.rounds = new WorkflowRounds({ resources: this.resources, starter: this.starter, logger }, roundMs);
    this.starts = new StreamConsumer({
      connection,
      stream: topology.names.workflowStartStream,
      consumer: WORKFLOW_START_CONSUMER,
      ackWaitMs: topology.ackWaitMs,
      concurrency: CONCURRENCY,
      process: (message) => this.startPublished(message),
      onError: (error) => logger.error({ err: error }, 'a workflow could not be started; trying again later'),
      logger,
    });
  }

  get closed(): Promise<void> {
    return this.life.ended;
  }

  start(): void {
    this.starts.start();
    this.rounds.start();
    this.life.begin(() => this.stop());
  }

  stop(): Promise<void> {
    return this.life.end(() => this.shutDown());
  }

  private async shutDown(): Promise<void> {
    await Promise.all([this.starts.stop(), this.rounds.stop()]);
    await this.resources.close();
  }

  private async startPublished(message: PulledMessage): Promise<void> {
    const target = this.options.topology.names.parseWorkflowStart(message.subject);
    if (target === undefined) {
      this.logger.error({ subject: message.subject }, 'a workflow without tenant and id was skipped');
      message.term('no tenant and id in the subject');
    } else {
      const { id, tenant } = target;
      try {
        const { duplicate } = await this.starter.start(
          parse(message),
          tenant === undefined ? { id } : { id, tenant },
        );
        this.logger.info({ workflow: id, tenant, duplicate }, 'workflow started');
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        this.logger.warn({ err: refusal, workflow: id, tenant }, 'a workflow was refused');
        await this.starter.refuse(id, tenant, refusal);
      }
    }
    message.ack();
  }
}

function parse(message: PulledMessage): unknown {
  let definition: unknown;
  try {
    definition = message.json();
  } catch {
    throw new InvalidWorkflowError([{ path: '', message: 'the definition is not JSON' }]);
  }
  const problem = roundingProblem(message);
  if (problem !== undefined) throw new InvalidWorkflowError([{ path: '', message: problem }]);
  return definition;
}

/** What will be refused however often it is tried. */
function refusalOf(error: unknown): InvalidWorkflowError | undefined {
  if (error instanceof InvalidWorkflowError) return error;
  if (!(error instanceof JobsError) || error.code !== 'invalid_options') return undefined;
  const problem: WorkflowProblem = { path: '', message: error.message };
  return new InvalidWorkflowError([problem]);
}
