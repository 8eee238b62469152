/** Watches the control bucket, so that a worker knows revocations and limits without a lookup per task. */
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { StreamFollower } from '../broker/stream-follower.js';
import type { Logger } from '../telemetry/logger.js';
import { readCircuit, type CircuitEntry } from './circuit.js';
import { readJson } from '../values/read-json.js';
import type { Names } from '../wire/names.js';
import {
  controlKeys,
  EARLY_TASKS,
  heartBeatEntry,
  OFFLINE_AFTER_MS,
  readKeyLimitSetting,
  readRateLimit,
  type KeyLimitSetting,
  type RateLimit,
} from './entries.js';
import { Revocations, type RevocableTask } from './revocations.js';

/** So long no task starts after a reconnect because changes may be unknown; then the worker goes on with what it knows, in milliseconds. */
const UNINFORMED_AT_MOST_MS = 10_000;

export class ControlWatch {
  private readonly revocations = new Revocations();
  private readonly rates = new Map<string, RateLimit>();
  private readonly keyLimits = new Map<string, KeyLimitSetting>();
  private readonly circuits = new Map<string, CircuitEntry>();
  private readonly peers = new Map<string, Peer>();
  /** The newest time that the broker has stamped, milliseconds since 1970: clocks of other machines do not matter. */
  private brokerTime = 0;
  private readonly follower: StreamFollower;
  private uninformed: NodeJS.Timeout | undefined;
  private hasGivenUp = false;

  constructor(
    connection: NatsConnection,
    private readonly names: Names,
    private readonly logger: Logger,
    private readonly on: ControlListeners,
  ) {
    this.follower = new StreamFollower({
      connection,
      stream: names.controlStream,
      filters: [names.controlKeyFilter],
      onChange: (subject, message) => this.apply(subject, message),
      onCurrent: (isCurrent) => this.followed(isCurrent),
      logger,
    });
  }

  /** Resolves once the whole bucket has been read. Retries while the broker is unreachable. */
  start(): Promise<void> {
    return this.follower.start();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
    clearTimeout(this.uninformed);
  }

  /**
   * Whether the limits and revocations of now are known. After a reconnect they are read anew: what has changed meanwhile counts for the
   * first task that starts.
   */
  get isInformed(): boolean {
    return this.follower.isCurrent || this.hasGivenUp;
  }

  private followed(isCurrent: boolean): void {
    clearTimeout(this.uninformed);
    this.hasGivenUp = false;
    if (isCurrent) this.on.informed();
    else this.uninformed = setTimeout(() => this.giveUp(), UNINFORMED_AT_MOST_MS).unref();
  }

  private giveUp(): void {
    this.hasGivenUp = true;
    this.logger.warn(
      {},
      'changes of limits and revocations cannot be read; tasks start by those that are known',
    );
    this.on.informed();
  }

  /** `undefined` when it is not revoked. */
  revocationOf(task: RevocableTask): { terminate: boolean } | undefined {
    return this.revocations.of(task);
  }

  rateLimitOf(task: string): RateLimit | undefined {
    return this.rates.get(task);
  }

  /** What is set for a limit by key at run time. */
  keyLimitOf(task: string, name: string): KeyLimitSetting | undefined {
    return this.keyLimits.size === 0 ? undefined : this.keyLimits.get(controlKeys.keyLimit(task, name));
  }

  /** Circuits of outside services of which anything is known, by `<service>.<key as a token>`. */
  get knownCircuits(): ReadonlyMap<string, CircuitEntry> {
    return this.circuits;
  }

  /** A live worker of the queue has another version of the task's contract. @param entry as heartbeats name this version */
  hasOtherVersion(queue: string, task: string, entry: string): boolean {
    for (const { contracts } of this.livePeers(queue))
      if (contracts.some((each) => each !== entry && each.startsWith(`${task}:`))) return true;
    return false;
  }

  /** Every live worker of the queue leaves tasks alone that others have taken out of their order. */
  allTakeEarly(queue: string): boolean {
    for (const { takesEarly } of this.livePeers(queue)) if (!takesEarly) return false;
    return true;
  }

  private *livePeers(queue: string): Generator<Peer> {
    const since = this.brokerTime - OFFLINE_AFTER_MS;
    for (const peer of this.peers.values())
      if (peer.seenAt >= since && peer.queues.includes(queue)) yield peer;
  }

  private apply(subject: string, stored: JsMsg | undefined): void {
    const key = subject.slice(this.names.controlKey('').length);
    const message = stored?.data.length === 0 ? undefined : stored;
    const [kind] = key.split('.');
    if (kind === 'revoke') {
      this.revocations.apply(key, message);
      if (message !== undefined) this.on.revoked();
    } else if (kind === 'rate') this.applyRate(key, message);
    else if (kind === 'limit') this.applyKeyLimit(key, message);
    else if (kind === 'circuit') this.applyCircuit(key, message);
    else if (kind === 'worker') this.applyPeer(key, message);
  }

  private applyRate(key: string, message: JsMsg | undefined): void {
    const task = key.slice('rate.'.length);
    const entry = message && readRateLimit(readJson(message));
    if (entry?.task === task) this.rates.set(task, entry);
    else this.rates.delete(task);
  }

  private applyKeyLimit(key: string, message: JsMsg | undefined): void {
    const entry = message && readKeyLimitSetting(readJson(message));
    if (entry !== undefined && controlKeys.keyLimit(entry.task, entry.name) === key)
      this.keyLimits.set(key, entry);
    else this.keyLimits.delete(key);
  }

  private applyCircuit(key: string, message: JsMsg | undefined): void {
    const circuit = key.slice(controlKeys.circuit('').length);
    const entry = message && readCircuit(readJson(message));
    if (entry === undefined) this.circuits.delete(circuit);
    else this.circuits.set(circuit, entry);
  }

  private applyPeer(key: string, message: JsMsg | undefined): void {
    const entry = message && heartBeatEntry.read(readJson(message));
    const name = key.slice('worker.'.length);
    const seenAt = message?.time.getTime() ?? 0;
    this.brokerTime = Math.max(this.brokerTime, seenAt);
    if (entry?.name !== name || entry.state === 'draining') this.peers.delete(name);
    else
      this.peers.set(name, {
        queues: entry.queues,
        contracts: entry.contracts ?? [],
        takesEarly: entry.features?.includes(EARLY_TASKS) === true,
        seenAt,
      });
    // A killed worker sends no farewell.
    const since = this.brokerTime - OFFLINE_AFTER_MS;
    for (const [peer, { seenAt: last }] of this.peers) if (last < since) this.peers.delete(peer);
  }
}

export interface ControlListeners {
  /** After a revocation: the worker checks its running tasks. */
  revoked: () => void;
  /** Tasks may start again. */
  informed: () => void;
}

/** Another worker, or this one, as its last heartbeat says. */
interface Peer {
  readonly queues: readonly string[];
  readonly contracts: readonly string[];
  /** It leaves tasks alone that others have taken out of their order. */
  readonly takesEarly: boolean;
  /** When the broker stored it, milliseconds since 1970. */
  readonly seenAt: number;
}
