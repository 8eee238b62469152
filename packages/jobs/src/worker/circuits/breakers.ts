/**
 * Keeps tasks from an outside service that is away. A worker whose contracts name none has none of this, and while every service does well a task
 * costs one look at what the worker follows.
 *
 *     with a free slot, look at the circuit ─┬ closed → run → tell a success or a failure, where that says something
 *                                            ├ its pause is over → ask to try the service → run → close it, or open it for longer
 *                                            └ open → enter the line → wait at the broker, without a slot and without a retry
 */
import { freeProbes, isOpen, type CircuitEntry } from '../../control/circuit.js';
import { circuitLine } from '../../circuits/circuit-id.js';
import { Circuits, type CircuitOf, type CircuitsParts } from '../../circuits/circuits.js';
import { errorLine, errorRecord } from '../../record/error-record.js';
import type { TaskContract } from '../../task/define-task.js';
import { retryAdvice } from '../../task/retry-policy.js';
import type { Logger } from '../../telemetry/logger.js';
import { newId } from '../../values/new-id.js';
import type { Delivery } from '../delivery.js';
import type { Lane } from '../lanes.js';
import { isExpired, lookMs } from '../look.js';
import type { Hold, Outcome } from '../outcome.js';
import { nameInLine, placeInLine } from '../place-in-line.js';
import { circuitOfTask, nameOf, type BreakerContract } from './circuit-of-task.js';
import { failureOf, waitsAtCircuit } from './service-outcome.js';
import { Waking } from './waking.js';

export interface BreakersParts extends CircuitsParts {
  /** Contracts with a breaker, by task. */
  contracts: ReadonlyMap<string, BreakerContract>;
  /** What the worker follows, by circuit. */
  known: () => ReadonlyMap<string, CircuitEntry>;
  /** How long a task may run, and a little longer, in milliseconds. */
  leaseMs: (contract: TaskContract) => number;
  /** How long a task waits for a service without spending retries, in milliseconds. */
  unreachableForMs: (contract: TaskContract) => number;
  /** Keeps the task for this time, in milliseconds; then it waits for a slot, before others of its lane. */
  hold: (delivery: Delivery, lane: Lane, waitMs: number) => void;
  postpone: (delivery: Delivery, delayMs: number, hold: Hold) => void;
  logger: Logger;
}

/** After a request that failed, in milliseconds. */
const RETRY_MS = 1_000;
/** What the broker has answered holds for so long, until this worker is told as well. In milliseconds. */
const PASSED_MS = 1_000;
/** So many tasks that wait for an answer take no room from others. */
const FREE_REQUESTS = 256;

interface State {
  readonly circuit: CircuitOf | undefined;
  /** The attempt by which it tries the service. */
  probe?: string;
  /** It has said what became of that. */
  hasReported?: boolean;
  /** It may start until then, on the monotonic clock in milliseconds. */
  passedUntil: number;
  hasLeftLine: boolean;
  /** It was kept from an open circuit. */
  waits: boolean;
}

export class Breakers {
  private readonly circuits: Circuits;
  private readonly waking: Waking;
  private readonly states = new WeakMap<Delivery, State>();
  private readonly asking = new Set<Promise<void>>();
  private readonly reporting = new Set<Promise<unknown>>();

  constructor(private readonly parts: BreakersParts) {
    this.circuits = new Circuits(parts);
    this.waking = new Waking({ ...parts, circuits: this.circuits });
  }

  /** Room that tasks take which wait for an answer. */
  get occupied(): number {
    return Math.max(0, this.asking.size - FREE_REQUESTS);
  }

  start(): void {
    this.waking.start();
  }

  /** Whether it has to ask before it may start, or has a place in a line to give up. */
  needsAnswer(delivery: Delivery): boolean {
    const { contracts, known, now } = this.parts;
    const { subject, headers } = delivery;
    if (!contracts.has(subject.task)) return false;
    const circuits = known();
    if (circuits.size === 0 && headers.keyWait === undefined) return false;
    const { circuit, probe, passedUntil, hasLeftLine } = this.stateOf(delivery);
    if (circuit === undefined || probe !== undefined || passedUntil > performance.now()) return false;
    if (isExpired(delivery, now())) return false;
    return isOpen(circuits.get(circuit.id), now()) || (this.isCalled(delivery, circuit) && !hasLeftLine);
  }

  /** Brings a task past its circuit, or to the line of those who wait. */
  admit(delivery: Delivery, lane: Lane): void {
    const asked = this.bring(delivery, lane).finally(() => this.asking.delete(asked));
    this.asking.add(asked);
  }

  /** What becomes of an attempt, given how it ended: one that found its service away waits, if the circuit is open. */
  judge(delivery: Delivery, outcome: Outcome): Outcome | Promise<Outcome> {
    const contract = this.parts.contracts.get(delivery.subject.task);
    if (contract === undefined) return outcome;
    const failure = failureOf(outcome);
    if (failure !== undefined && this.isServiceFailure(contract, failure.error))
      return this.failed(contract, delivery, outcome, failure.error);
    // Without failures beside it, a success says nothing.
    return outcome.kind === 'succeeded' && this.parts.known().size > 0
      ? this.succeeded(delivery, outcome)
      : outcome;
  }

  /** The task is done here, however it ended. */
  ended(delivery: Delivery): void {
    const state = this.states.get(delivery);
    if (state?.circuit === undefined) return;
    const { circuit, probe, hasReported, waits } = state;
    const { known, now } = this.parts;
    if (probe !== undefined && hasReported !== true)
      void this.report(
        circuit,
        this.circuits.ask(circuit, { kind: 'release', task: nameInLine(delivery.subject), attempt: probe }),
      );
    // Whoever called those who wait while this one was on its way to the broker could not call it.
    if (waits && !isOpen(known().get(circuit.id), now()))
      void this.report(circuit, this.circuits.call(placeInLine(delivery)));
  }

  /** Resolves once no task waits for an answer. */
  async answered(): Promise<void> {
    await Promise.all(this.asking);
  }

  async stop(): Promise<void> {
    await this.waking.stop();
    await Promise.all(this.reporting);
  }

  private async bring(delivery: Delivery, lane: Lane): Promise<void> {
    const { hold, postpone, logger, now } = this.parts;
    const state = this.stateOf(delivery);
    const { circuit } = state;
    if (circuit === undefined) return hold(delivery, lane, 0);
    try {
      if (!(await this.mayStart(delivery, state, circuit))) {
        await this.enterLine(delivery, circuit);
        state.waits = true;
        const { unreachableSince } = delivery.headers;
        const wait = { keyWait: circuitLine(circuit.id), unreachableSince };
        postpone(delivery, lookMs(delivery, now()), wait);
        return;
      }
      state.passedUntil = performance.now() + PASSED_MS;
      if (this.isCalled(delivery, circuit) || delivery.deliveries > 1)
        await this.circuits.line.leave(circuitLine(circuit.id), nameInLine(delivery.subject));
      state.hasLeftLine = true;
      hold(delivery, lane, 0);
    } catch (error) {
      logger.warn({ err: error, service: circuit.service }, 'a circuit did not answer; asking again');
      hold(delivery, lane, RETRY_MS);
    }
  }

  private async mayStart(delivery: Delivery, state: State, circuit: CircuitOf): Promise<boolean> {
    const { contracts, known, now, leaseMs } = this.parts;
    const entry = known().get(circuit.id);
    const contract = contracts.get(delivery.subject.task);
    if (entry === undefined || !isOpen(entry, now()) || contract === undefined) return true;
    // Whoever was handed over before may have a place already.
    const isRedelivered = delivery.deliveries > 1;
    if (freeProbes(entry, circuit.settings, now()) === 0 && !isRedelivered) return false;
    const probe = newId();
    const answer = await this.circuits.ask(circuit, {
      kind: 'probe',
      task: nameInLine(delivery.subject),
      attempt: probe,
      leaseMs: leaseMs(contract),
      isRedelivered,
    });
    if (answer.isProbe) state.probe = probe;
    return answer.isProbe || !answer.isOpen;
  }

  private async enterLine(delivery: Delivery, circuit: CircuitOf): Promise<void> {
    await this.circuits.line.enter(circuitLine(circuit.id), placeInLine(delivery));
  }

  private async succeeded(delivery: Delivery, outcome: Outcome): Promise<Outcome> {
    const state = this.stateOf(delivery);
    const { circuit, probe } = state;
    const entry = circuit && this.parts.known().get(circuit.id);
    if (circuit === undefined || (probe === undefined && (entry?.state !== 'closed' || entry.failures === 0)))
      return outcome;
    const request = {
      kind: 'success',
      task: nameInLine(delivery.subject),
      attempt: probe ?? newId(),
    } as const;
    const told = this.report(circuit, this.circuits.ask(circuit, request));
    if (probe === undefined) return outcome;
    const answer = await told;
    state.hasReported = answer !== undefined;
    if (answer !== undefined && !answer.isOpen)
      this.parts.logger.info(nameOf(circuit), 'a service is back; its circuit is closed');
    return outcome;
  }

  private async failed(
    contract: BreakerContract,
    delivery: Delivery,
    outcome: Outcome,
    error: unknown,
  ): Promise<Outcome> {
    const { now, unreachableForMs, logger } = this.parts;
    const state = this.stateOf(delivery);
    const { circuit, probe } = state;
    if (circuit === undefined) return outcome;
    const answer = await this.report(
      circuit,
      this.circuits.ask(circuit, {
        kind: 'failure',
        task: nameInLine(delivery.subject),
        attempt: probe ?? newId(),
        error: errorLine(errorRecord(error, true)),
        retryAfterMs: retryAdvice(error).retryAfterMs,
      }),
    );
    state.hasReported = answer !== undefined;
    if (answer?.hasOpened === true)
      logger.warn({ ...nameOf(circuit), err: error }, 'a service is away; its circuit is open');
    if (answer?.isOpen !== true) return outcome;
    const wait = waitsAtCircuit(outcome, delivery, {
      error,
      line: circuitLine(circuit.id),
      now: now(),
      unreachableForMs: unreachableForMs(contract),
    });
    // Its message is stored before it is called: until then whoever calls finds it in its lane.
    if (wait !== undefined) await this.enterLine(delivery, circuit);
    return wait ?? outcome;
  }

  private isServiceFailure({ breaker, name }: BreakerContract, error: unknown): boolean {
    try {
      return breaker.isFailure(error);
    } catch (cause) {
      this.parts.logger.warn(
        { err: cause, task: name },
        'isFailure of a breaker has thrown; the failure is the task’s',
      );
      return false;
    }
  }

  /** What could not be said is said by the next attempt. */
  private async report<T>(circuit: CircuitOf, work: Promise<T>): Promise<T | undefined> {
    const told = work.catch((error: unknown) => {
      this.parts.logger.warn({ ...nameOf(circuit), err: error }, 'a circuit could not be told');
      return undefined;
    });
    this.reporting.add(told);
    try {
      return await told;
    } finally {
      this.reporting.delete(told);
    }
  }

  private isCalled({ headers }: Delivery, { id }: CircuitOf): boolean {
    return headers.keyWait === circuitLine(id);
  }

  private stateOf(delivery: Delivery): State {
    let state = this.states.get(delivery);
    if (state === undefined) {
      const contract = this.parts.contracts.get(delivery.subject.task);
      const circuit = contract && circuitOfTask(contract, delivery, this.parts.logger);
      state = { circuit, passedUntil: 0, hasLeftLine: false, waits: false };
      this.states.set(delivery, state);
    }
    return state;
  }
}
