/** The rounds of workflow maintenance: which workflows are stuck, which have expired. */
import type { Logger } from '../telemetry/logger.js';
import type { Resources } from '../resources/resources.js';
import { eachLimited } from '../broker/each-limited.js';
import { storedSequence } from '../broker/stored-message.js';
import { readJson } from '../values/read-json.js';
import { workflowKeys } from '../workflow/bucket.js';
import { BackgroundLoop } from './background-loop.js';
import { reconcile } from '../workflow/reconcile.js';
import type { WorkflowStarter } from '../workflow/start.js';
import { workflowSummarySchema } from '../workflow/view.js';

export interface RoundsParts {
  resources: Resources;
  starter: WorkflowStarter;
  logger: Logger;
}

/** What was seen of a workflow in earlier rounds. */
interface Sighting {
  /** The newest of its keys. */
  sequence: number;
  /** Looked into in the round of this number at the earliest: one in which nothing was wrong is looked into ever more seldom. */
  lookAt: number;
  pause: number;
  missing: ReadonlySet<string>;
}

const LONGEST_PAUSE = 40;
/** A start that was cut short before its definition was stored, and that nobody has repeated since. */
const ABANDONED_MS = 3_600_000;
const EXPIRE_EVERY = 40;

export class WorkflowRounds {
  private readonly sightings = new Map<string, Sighting>();
  private readonly loop: BackgroundLoop;
  private round = 0;
  private isIndexed = false;

  constructor(
    private readonly parts: RoundsParts,
    everyMs: number,
  ) {
    this.loop = new BackgroundLoop({
      everyMs,
      run: (signal) => this.runRound(signal),
      onFailure: (error) => parts.logger.warn({ err: error }, 'workflow maintenance failed; trying again'),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async runRound(signal: AbortSignal): Promise<undefined> {
    try {
      if (!this.isIndexed) await this.indexOwners(signal);
      await this.lookAround(signal);
      if (this.round % EXPIRE_EVERY === 0) await this.removeExpired();
    } finally {
      this.round++;
    }
  }

  /** Once: those that an earlier version has started are listed for their tenants, too. */
  private async indexOwners(signal: AbortSignal): Promise<void> {
    const { starter, resources } = this.parts;
    const { bucket, runs } = resources.workflows;
    const indexed = new Set(await bucket.ids(workflowKeys.owner('*', '*')));
    for (const id of await bucket.ids(workflowKeys.manifest('*'))) {
      if (signal.aborted) return;
      const stored = indexed.has(id) ? undefined : await runs.manifest(id);
      if (stored !== undefined) await starter.index(stored.manifest);
    }
    this.isIndexed = true;
  }

  private async lookAround(signal: AbortSignal): Promise<void> {
    const { resources, logger } = this.parts;
    const { workflows: engine } = resources;
    const active = new Map<string, Date>();
    for await (const { subject, time } of engine.bucket.scan(workflowKeys.active('*')))
      active.set(subject.slice(subject.lastIndexOf('.') + 1), time);
    for (const id of this.sightings.keys()) if (!active.has(id)) this.sightings.delete(id);
    for (const [id, since] of await this.still(active)) {
      if (signal.aborted) return;
      try {
        await this.lookInto(id, since);
      } catch (error) {
        logger.warn({ err: error, workflow: id }, 'a workflow could not be maintained; trying again');
      }
    }
  }

  /** Those in which nothing has happened since the last round. */
  private async still(active: ReadonlyMap<string, Date>): Promise<[string, Date][]> {
    const found: [string, Date][] = [];
    await eachLimited([...active], async ([id, since]) => {
      const sequence = await this.newestKey(id);
      const last = this.sightings.get(id);
      if (last === undefined || last.sequence !== sequence)
        this.sightings.set(id, { sequence, lookAt: this.round + 1, pause: 1, missing: new Set() });
      else if (this.round >= last.lookAt) found.push([id, since]);
    });
    return found;
  }

  private async lookInto(id: string, since: Date): Promise<void> {
    const last = this.sightings.get(id);
    if (last === undefined) return;
    const { resources, starter, logger } = this.parts;
    const { workflows: engine, lookup, streams, names } = resources;
    const stored = await engine.runs.manifest(id);
    const state = await engine.states.read(id);
    const isOver = state?.state === 'SUCCESS' || state?.state === 'REVOKED';
    const isAbandoned = stored === undefined && (await this.isLongAgo(since));
    if (isOver || isAbandoned) return engine.bucket.remove(workflowKeys.active(id));
    if (stored === undefined) return;
    if (state === undefined && !(await starter.goOn(stored.manifest))) return this.discardParts(id, since);
    const run = await engine.runs.load(id);
    if (run === undefined) return;
    const parts = { engine, lookup, streams, names };
    const { moved, open, missing } = await reconcile(parts, run, last.missing);
    if (moved) logger.warn({ workflow: id }, 'a stalled workflow was resumed');
    if (open === 0 && state?.state === 'FAILURE') return engine.bucket.remove(workflowKeys.active(id));
    const pause = moved || missing.size > 0 ? 1 : Math.min(last.pause * 2, LONGEST_PAUSE);
    this.sightings.set(id, {
      sequence: await this.newestKey(id),
      lookAt: this.round + pause,
      pause,
      missing,
    });
  }

  /** Nobody but who started it has the definition, and they would have come back by now. */
  private async discardParts(id: string, since: Date): Promise<void> {
    if (await this.isLongAgo(since)) await this.removeAll(id);
  }

  private async isLongAgo(since: Date): Promise<boolean> {
    return (await this.now()) - since.getTime() > ABANDONED_MS;
  }

  /** By the broker, which has stamped what is compared with it. */
  private async now(): Promise<number> {
    return (await this.parts.resources.producerTime.now()).getTime();
  }

  private async newestKey(id: string): Promise<number> {
    const { names, streams } = this.parts.resources;
    const found = await Promise.all(
      [workflowKeys.end(id, '*'), workflowKeys.entry(id, '*'), workflowKeys.state(id)].map((key) =>
        streams.get(names.workflowStream, { last_by_subj: names.workflowKey(key) }),
      ),
    );
    return Math.max(0, ...found.map((message) => (message === undefined ? 0 : storedSequence(message))));
  }

  /** Keys of the state stand in the order in which they were last written. */
  private async removeExpired(): Promise<void> {
    const { resources, logger } = this.parts;
    const { topology, workflows: engine } = resources;
    const now = await this.now();
    const expired: string[] = [];
    for await (const message of engine.bucket.scan(workflowKeys.state('*'))) {
      const age = now - message.time.getTime();
      if (age < topology.workflowsExpireMs) break;
      const { data } = workflowSummarySchema.safeParse(readJson(message));
      const keptForMs =
        data?.state === 'FAILURE' ? topology.failedWorkflowsExpireMs : topology.workflowsExpireMs;
      if (data !== undefined && data.state !== 'STARTED' && age >= keptForMs) expired.push(data.id);
    }
    for (const id of expired) await this.removeAll(id);
    if (expired.length > 0) logger.info({ workflows: expired.length }, 'expired workflows removed');
  }

  private async removeAll(id: string): Promise<void> {
    for (const pattern of workflowKeys.all(id)) await this.parts.resources.workflows.bucket.remove(pattern);
  }
}
