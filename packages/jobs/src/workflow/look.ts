/** Reads workflows: one with all its steps, its end without polling, the recent ones. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { TaskLookup } from '../record/lookup.js';
import { ResultTimeoutError } from '../errors.js';
import { eachLimited } from '../broker/each-limited.js';
import { readJson } from '../values/read-json.js';
import type { Names } from '../wire/names.js';
import { isSameTask } from '../wire/identity.js';
import type { TaskRecord } from '../wire/record.js';
import { WorkflowBucket, workflowKeys } from './bucket.js';
import { readEntry, type WorkflowEngine } from './engine.js';
import { identityOf, startsWith } from './plan.js';
import { Results } from './results.js';
import type { Run } from './runs.js';
import { countSteps, treeOf } from './tree.js';
import {
  workflowSummarySchema,
  type WorkflowOutcome,
  type WorkflowSummary,
  type WorkflowView,
} from './view.js';

const LOOK_AGAIN_MS = 250;

export class WorkflowLookup {
  /** Waiting callers, which repeat the lookup after a reconnect because they may have missed a notice. */
  private readonly waiting = new Set<() => void>();
  private following = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly names: Names,
    private readonly engine: WorkflowEngine,
    private readonly tasks: Pick<TaskLookup, 'record'>,
  ) {}

  async view(id: string): Promise<WorkflowView | undefined> {
    const { runs, states } = this.engine;
    const [run, summary] = await Promise.all([runs.load(id), states.read(id)]);
    if (summary === undefined) return undefined;
    if (run === undefined) return { ...summary, steps: { total: 0 }, tree: null };
    const [entries, ends] = await Promise.all([
      this.entries(run),
      this.engine.ends.readAll(id, run.sequence),
    ]);
    const records = await this.withOpenSteps(run, entries, ends);
    const tree = treeOf({ run, state: summary.state, records, entries });
    return { ...summary, steps: countSteps(tree), tree };
  }

  /** Throws `ResultTimeoutError`, or the signal's reason. */
  async outcome(id: string, timeoutMs: number, signal?: AbortSignal): Promise<WorkflowOutcome> {
    signal?.throwIfAborted();
    const summary = await this.ended(id, timeoutMs, signal);
    if (summary.state !== 'SUCCESS') return { ...summary, result: null };
    const run = await this.engine.runs.load(id);
    const result = run === undefined ? null : await new Results(this.engine.ends, run).of(run.plan.root);
    return { ...summary, result };
  }

  private async entries(run: Run): Promise<Map<number, string>> {
    const entries = new Map<number, string>();
    for await (const message of this.engine.bucket.scan(workflowKeys.entry(run.id, '*'), run.sequence)) {
      const entry = readEntry(message);
      if (entry !== undefined) entries.set(WorkflowBucket.nodeOf(message.subject), entry.enqueued_at);
    }
    return entries;
  }

  /** The ends, and the records of steps that run or run again. */
  private async withOpenSteps(
    run: Run,
    entries: ReadonlyMap<number, string>,
    ends: ReadonlyMap<number, TaskRecord>,
  ): Promise<Map<number, TaskRecord>> {
    const records = new Map(ends);
    const open = [...entries.keys()].flatMap((number) => {
      const node = run.plan.nodes[number];
      return node === undefined ? [] : startsWith(node).steps;
    });
    const unfinished = open.filter(({ number }) => ends.get(number)?.state !== 'SUCCESS');
    await eachLimited(unfinished, async (node) => {
      const own = identityOf(run.id, node);
      const record = await this.tasks.record(own.id);
      if (record !== undefined && isSameTask(record, own)) records.set(node.number, record);
    });
    return records;
  }

  private ended(id: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<WorkflowSummary> {
    if (!this.following) void this.followConnection();
    return new Promise<WorkflowSummary>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.waiting.delete(look);
        if (!subscription.isClosed()) subscription.unsubscribe();
        settle();
      };
      const accept = (summary: WorkflowSummary | undefined): void => {
        if (summary !== undefined && summary.state !== 'STARTED') finish(() => resolve(summary));
      };
      const giveUp = (): void => finish(() => reject(signal?.reason));
      const expire = (): void => finish(() => reject(new ResultTimeoutError(id, timeoutMs, 'Workflow')));
      // Before the lookup, so that an end stored in between is not missed; and first of all, because it throws on a closed connection.
      const subscription = this.connection.subscribe(this.names.workflowNotice(id), {
        callback: (error, message) => {
          if (error === null) accept(workflowSummarySchema.safeParse(readJson(message)).data);
        },
      });
      signal?.addEventListener('abort', giveUp);
      const timer = setTimeout(expire, timeoutMs);
      const look = (): void => {
        this.engine.states.read(id).then(accept, (error: unknown) => {
          if (this.connection.isClosed()) finish(() => reject(error));
          else if (this.waiting.has(look)) setTimeout(look, LOOK_AGAIN_MS).unref();
        });
      };
      this.waiting.add(look);
      look();
    });
  }

  private async followConnection(): Promise<void> {
    this.following = true;
    for await (const { type } of this.connection.status()) {
      if (type === 'reconnect') for (const look of this.waiting) look();
    }
  }
}
