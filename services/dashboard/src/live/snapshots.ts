/** The newest state of the whole platform, in memory: however many people look, it is read once. */
import { BackgroundLoop, resultWithin } from '@stratum/jobs/internal';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { z } from 'zod';
import { NO_SIGNALS, problem, type FailureFacts, type Signals } from '../overview/facts.js';
import { findProblems, VERDICTS } from '../overview/problems.js';
import { HistoryLag } from './history-lag.js';
import { queueSnapshot, readState, type State } from './read-state.js';
import { workerSnapshot } from './worker-snapshot.js';

export const snapshotSchema = z
  .object({
    at: z.iso.datetime().describe('When the facts were put together.'),
    sampled_at: z.iso.datetime().nullable().describe('When the broker was asked; `null`: not yet.'),
    verdict: z.enum(VERDICTS).describe('`unknown`: the facts are too old to judge.'),
    problems: z.array(problem).describe('What needs a person now: causes before what follows from them.'),
    queues: z.array(queueSnapshot),
    workers: z
      .array(workerSnapshot)
      .describe('Empty for viewers who may not see workers, as are `schedulers`.'),
    schedulers: z.array(z.object({ name: z.string(), leads: z.boolean() })),
    history: z.object({
      sequence: z.int().describe('Of the last event that the history shows.'),
      behind_events: z.int(),
      behind_ms: z.number(),
      gaps: z.int().describe('How often events were lost before the history read them.'),
    }),
  })
  .meta({ id: 'Snapshot' });
export type Snapshot = z.output<typeof snapshotSchema>;

const EVERY_MS = 2_000;
/** A snapshot of old facts is better than none. */
const READ_WITHIN_MS = 2_000;
/** A broker that is asked for the first time has so long to answer. */
const FIRST_SAMPLE_MS = 10_000;
const EMPTY: Snapshot = {
  at: new Date(0).toISOString(),
  sampled_at: null,
  verdict: 'unknown',
  problems: [],
  queues: [],
  workers: [],
  schedulers: [],
  history: { sequence: 0, behind_events: 0, behind_ms: 0, gaps: 0 },
};

export class Snapshots {
  private readonly loop: BackgroundLoop;
  private readonly listeners = new Set<(snapshot: Snapshot) => void>();
  private readonly expected = new Map<string, { paused: boolean; at: number }>();
  private readonly lag = new HistoryLag();
  private latest = EMPTY;
  private failures: readonly FailureFacts[] = [];
  private signals: Signals = NO_SIGNALS;
  private reading: Promise<void> | undefined;
  /** When the database answered last, and since when it has answered without a break. */
  private readAt = Date.now();
  private readableSince = Date.now();

  constructor(
    private readonly pool: Pool,
    private readonly stream: string,
    logger: Logger,
  ) {
    this.loop = new BackgroundLoop({
      everyMs: EVERY_MS,
      run: async () => {
        await this.readInTime();
        this.publish(this.withExpected(this.judged(this.latest)));
        return undefined;
      },
      onFailure: (error) => {
        logger.warn({ err: error }, 'the state of the platform could not be read, trying again');
        this.publish(this.judged(this.latest));
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  get current(): Snapshot {
    return this.latest;
  }

  /** What a control has just done, before a sample shows it. */
  expectPaused(queue: string, paused: boolean): void {
    this.expected.set(queue, { paused, at: Date.now() });
    this.publish(this.withExpected(this.latest));
  }

  private withExpected(snapshot: Snapshot): Snapshot {
    const sampledAt = Date.parse(snapshot.sampled_at ?? '');
    for (const [queue, { at }] of this.expected) if (sampledAt > at) this.expected.delete(queue);
    if (this.expected.size === 0) return snapshot;
    const queues = snapshot.queues.map((each) => ({
      ...each,
      paused: this.expected.get(each.queue)?.paused ?? each.paused,
    }));
    return this.judged({ ...snapshot, queues });
  }

  /** Returns what ends it. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private publish(snapshot: Snapshot): void {
    this.latest = snapshot;
    for (const listener of this.listeners) listener(snapshot);
  }

  /** A database that hangs must not keep anybody from learning so: the read goes on, and the next round waits for it again. */
  private async readInTime(): Promise<void> {
    this.reading ??= readState(this.pool, this.stream)
      .then((state) => this.take(state))
      .finally(() => (this.reading = undefined));
    await resultWithin(this.reading, READ_WITHIN_MS);
  }

  private take({ sample, queues, workers, schedulers, signals, failures, history }: State): void {
    const now = Date.now();
    if (now - this.readAt > 2 * (EVERY_MS + READ_WITHIN_MS)) this.readableSince = now;
    this.readAt = now;
    this.failures = failures;
    this.signals = signals;
    if (sample !== null) this.lag.note(sample, history.sequence);
    this.latest = {
      ...EMPTY,
      sampled_at: sample?.at.toISOString() ?? null,
      queues,
      workers,
      schedulers,
      history: {
        ...history,
        behind_events: Math.max(0, (sample?.streamLast ?? 0) - history.sequence),
        behind_ms: this.lag.behindMs(now),
      },
    };
  }

  private judged(snapshot: Snapshot): Snapshot {
    const now = new Date();
    const { verdict, problems } = findProblems({
      now,
      databaseSilentMs: now.getTime() - this.readAt,
      brokerSilentMs: this.brokerSilentMs(snapshot.sampled_at, now),
      historyBehindMs: snapshot.history.behind_ms,
      queues: snapshot.queues,
      workers: snapshot.workers,
      failures: this.failures,
      signals: this.signals,
    });
    return { ...snapshot, at: now.toISOString(), verdict, problems };
  }

  /** Samples are stored in the database: after it was silent, or this process was not there, the next one is waited for. */
  private brokerSilentMs(sampledAt: string | null, now: Date): number | null {
    const readableMs = now.getTime() - this.readableSince;
    const ageMs = sampledAt === null ? undefined : now.getTime() - Date.parse(sampledAt);
    if (ageMs !== undefined && ageMs <= FIRST_SAMPLE_MS) return ageMs;
    return readableMs <= FIRST_SAMPLE_MS ? null : (ageMs ?? readableMs);
  }
}
