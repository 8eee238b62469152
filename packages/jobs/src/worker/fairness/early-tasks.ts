/**
 * Fairness between tenants. A lane hands its tasks out in the order in which they were enqueued, so whoever enqueues many is served for a long
 * while. This takes tasks of other tenants out of that order, as many as their shares are.
 *
 *     who waits behind others (waiting-tenants) → whose turn it is (turns) → take the task (taking) → run it as any other
 */
import type { Leases } from '../../broker/pull/leases.js';
import type { PulledMessage } from '../../broker/pull/pulled-message.js';
import type { Resources } from '../../resources/resources.js';
import type { Logger } from '../../telemetry/logger.js';
import { NO_TENANT, type Names } from '../../wire/names.js';
import type { Lane } from '../lanes.js';
import { TakeEarly } from './taking.js';
import { Turns } from './turns.js';
import { WaitingTenants } from './waiting-tenants.js';

export interface EarlyTasksParts {
  resources: Pick<Resources, 'connection' | 'names' | 'topology' | 'publisher' | 'streams' | 'clock'>;
  /** A tenant's share, above 0. */
  weightOf: (tenant: string) => number;
  /** Every live worker of the queue knows copies of tasks that others hold. */
  isKnownToAll: (queue: string) => boolean;
  logger: Logger;
}

/** Between two looks at a lane, in milliseconds; longer after a look that took long. */
const LOOK_EVERY_MS = 50;
const LOOKING_PART = 4;
/** The newest messages of a lane, by which it is known whom it serves. */
const RECENT = 16;
/** A task that the lane reaches within so many messages is left to it. */
const NEAR = 8;
/** Of many tenants: up to so many tasks of each in a row are fair. */
const FAIR_RUN = 16;
/** The lane advances by less than so many times its usual pace while a task is taken. */
const PACES = 4;
/** After an error, such as a missing right, in milliseconds. */
const REST_MS = 30_000;

/** The lane itself among those whose turn it is. */
const IN_ORDER = Symbol('in order');

interface LaneState {
  readonly lane: Lane;
  readonly waiting: WaitingTenants;
  readonly turns: Turns<string | typeof IN_ORDER>;
  /** Subjects of the newest messages that the lane has handed to this worker. */
  readonly recent: string[];
  delivered: number;
  /** By how many messages the lane advances while tasks are taken. */
  pace: number;
  lookAt: number;
  isLooking: boolean;
  /** Nobody's turn has come before this time. */
  chooseAt: number;
}

export class EarlyTasks {
  private readonly lanes = new Map<Lane, LaneState>();
  private readonly names: Names;
  private readonly taking: TakeEarly;
  private restUntil = 0;

  constructor(private readonly parts: EarlyTasksParts) {
    this.names = parts.resources.names;
    this.taking = new TakeEarly(parts.resources, parts.logger);
  }

  /** A message that the lane has handed out in its order. */
  delivered({ subject, streamSequence }: PulledMessage, lane: Lane): void {
    const state = this.stateOf(lane);
    if (state.recent.push(subject) > RECENT) state.recent.shift();
    // A message that is delivered again says nothing; and a stream that was created anew counts from the beginning.
    state.delivered = streamSequence;
  }

  /**
   * What to take early from a lane that has work; `undefined` when its order is fair.
   * @param room tasks that can be held
   */
  take(
    lane: Lane,
    room: number,
    leases: Pick<Leases, 'release'>,
  ): { count: number; arrive: Promise<PulledMessage[]> } | undefined {
    const now = performance.now();
    if (now < this.restUntil) return undefined;
    const state = this.stateOf(lane);
    this.lookSoon(state, now);
    if (!this.parts.isKnownToAll(lane.queue)) return undefined;
    if (state.waiting.size === 0 || now < state.chooseAt) return undefined;
    const sequences = this.choose(state, room);
    if (sequences === undefined) state.chooseAt = now + LOOK_EVERY_MS;
    // Otherwise it is the turn of the lane's order.
    if (sequences === undefined || sequences.length === 0) return undefined;
    return { count: sequences.length, arrive: this.takeAll(state, sequences, leases) };
  }

  /** `undefined` when nobody waits far behind. */
  private choose(state: LaneState, room: number): number[] | undefined {
    const { waiting, delivered, pace } = state;
    const known = [...waiting.first(delivered)];
    const served = this.served(state, known.length);
    const others = known.filter(({ tenant }) => !served.has(tenant));
    const tenants = others.length + served.size;
    const near = Math.max(NEAR, tenants < FAIR_RUN ? 0 : tenants * FAIR_RUN) + PACES * pace;
    const far = others.filter(({ sequence }) => sequence - delivered > near);
    if (far.length === 0) return undefined;
    const { weightOf } = this.parts;
    const inOrder = [...served].reduce((sum, tenant) => sum + weightOf(tenant), 0);
    const weights = new Map<string | typeof IN_ORDER, number>([[IN_ORDER, inOrder || 1]]);
    for (const { tenant } of far) weights.set(tenant, weightOf(tenant));
    return state.turns.next(weights, room).flatMap((turn) => {
      const sequence = turn === IN_ORDER ? undefined : waiting.take(turn);
      if (turn !== IN_ORDER && sequence === undefined) state.lookAt = 0;
      return sequence ?? [];
    });
  }

  /** Whom the order of the lane gives at least half of an equal share. */
  private served({ recent }: LaneState, waiting: number): Set<string> {
    const counts = new Map<string, number>();
    for (const subject of recent) {
      const tenant = this.names.parseTaskSubject(subject)?.tenant ?? NO_TENANT;
      counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    }
    const least = recent.length / (2 * Math.max(1, waiting));
    return new Set([...counts].filter(([, count]) => count >= least).map(([tenant]) => tenant));
  }

  private async takeAll(
    state: LaneState,
    sequences: readonly number[],
    leases: Pick<Leases, 'release'>,
  ): Promise<PulledMessage[]> {
    try {
      const { messages, advance } = await this.taking.take(
        state.lane,
        sequences,
        NEAR + PACES * state.pace,
        leases,
      );
      state.pace = Math.max(advance, state.pace * 0.9);
      return messages;
    } catch (error) {
      this.rest(error);
      return [];
    }
  }

  /** In the background: a visit waits for nothing. */
  private lookSoon(state: LaneState, startedAt: number): void {
    if (state.isLooking || startedAt < state.lookAt) return;
    state.isLooking = true;
    state.waiting
      .look(state.delivered, this.served(state, state.waiting.size))
      .catch((error: unknown) => this.rest(error))
      .finally(() => {
        state.isLooking = false;
        const now = performance.now();
        state.lookAt = now + Math.max(LOOK_EVERY_MS, (now - startedAt) * LOOKING_PART);
      });
  }

  /** Without fairness tasks run in their order. */
  private rest(error: unknown): void {
    this.restUntil = performance.now() + REST_MS;
    this.parts.logger.warn(
      { err: error },
      'tasks run in the order of their queue for a while: none can be taken out of it',
    );
  }

  private stateOf(lane: Lane): LaneState {
    let state = this.lanes.get(lane);
    if (state === undefined) {
      const { connection, names, streams, clock } = this.parts.resources;
      state = {
        lane,
        waiting: new WaitingTenants({ connection, names, streams, lane, now: () => clock.now() }),
        turns: new Turns<string | typeof IN_ORDER>(),
        recent: [],
        delivered: 0,
        pace: 0,
        lookAt: 0,
        isLooking: false,
        chooseAt: 0,
      };
      this.lanes.set(lane, state);
    }
    return state;
  }
}
