/** Inspects and controls workers, for `stratum inspect` and `stratum control`. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { Resources } from '../resources/resources.js';
import type { NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { BrokerClock } from '../broker/broker-clock.js';
import type { StreamAccess } from '../broker/stream-access.js';
import {
  controlKeys,
  heartBeatEntry,
  readRateLimit,
  rateLineEntry,
  readKeyLimitSetting,
  type HeartBeat,
  type KeyLimitSetting,
  type RateLimit,
} from '../control/entries.js';
import { conditionOf, isAnswering, type WorkerCondition } from '../control/worker-condition.js';
import type { Topology } from '../topology/define.js';
import { KeyValue } from '../broker/key-value.js';
import { scanAll, scanStream } from '../broker/scan.js';
import { isNoResponders } from '../wire/server-errors.js';
import { settingOf, type KeyLimitChange } from '../limits/change.js';
import { gateMessages } from '../limits/gate-messages.js';
import type { CircuitView, OpenCircuitOptions } from './circuits.js';
import type { KeyLine, KeyWait } from '../limits/waits.js';
import { concurrency, rate, ratePeriod, timer } from '../values/bounds.js';
import { readJson } from '../values/read-json.js';
import { PRIORITIES, requireToken } from '../wire/names.js';
import { ALL_WORKERS, type InspectVerb } from '../control/worker-protocol.js';

export interface WorkerView extends HeartBeat {
  condition: WorkerCondition;
}

export interface WorkerReply {
  worker: string;
  /** The worker's response, or its error. */
  reply: unknown;
}

export interface Control {
  /** Every worker with a heartbeat in the last 24 hours that has not shut down. */
  workers(): Promise<WorkerView[]>;
  /** Asks one worker or all. Workers that do not respond in time are missing. */
  inspect(verb: InspectVerb, options?: AskOptions): Promise<WorkerReply[]>;
  /** Stops delivery from a queue to all workers until `resume`. It survives restarts. */
  pause(queue: string): Promise<void>;
  /** Hands out the tasks of a paused queue again. */
  resume(queue: string): Promise<void>;
  /** Sets how many tasks a worker, or every worker, runs at once, until it restarts. */
  setConcurrency(concurrency: number, options?: AskOptions): Promise<WorkerReply[]>;
  /** Limits how many executions of a task start per interval, over all workers; `undefined` lifts the limit. */
  setRateLimit(task: string, limit: Omit<RateLimit, 'task'> | undefined): Promise<void>;
  /** The rate limits in force. */
  rateLimits(): Promise<RateLimit[]>;
  /** The rate limits in force, and how many tasks wait for each. */
  rateWaits(): Promise<RateWait[]>;
  /**
   * Sets a limit by key that a contract declares, for all its keys and over all workers; `undefined` returns to the contract's. It survives
   * restarts, and holds for tasks that start from now on.
   * @param name of the limit
   */
  setKeyLimit(task: string, name: string, setting: KeyLimitChange | undefined): Promise<void>;
  /** What is set for limits by key at run time. */
  keyLimits(): Promise<KeyLimitSetting[]>;
  /** The keys under whose limits tasks run or wait at once, the longest line first; at most 1,000. */
  keyWaits(): Promise<KeyWait[]>;
  /** The limits by key before which tasks wait, over all their keys, the longest line first; of at most 1,000 keys. */
  keyLines(): Promise<KeyLine[]>;
  /** The circuits of outside services of which anything is known, and how many tasks wait for each. */
  circuits(): Promise<CircuitView[]>;
  /** Opens the circuit of a service: its tasks wait until somebody closes it. It survives restarts. */
  openCircuit(service: string, options?: OpenCircuitOptions): Promise<void>;
  /** Closes a circuit at once, and has those who wait called, a few at first. Failures are counted anew. */
  closeCircuit(service: string, options?: OpenCircuitOptions): Promise<void>;
  /** Stops workers after their current tasks. */
  shutdown(options?: AskOptions): Promise<WorkerReply[]>;
}

/** A rate limit and what it delays. */
export interface RateWait extends RateLimit {
  /** Tasks that wait for their turn; revoked ones among them count until their turn has passed. */
  waiting: number;
}

export interface AskOptions {
  /** Default: all. */
  worker?: string;
  /** Timeout for responses, in milliseconds. Default 1,000. */
  timeoutMs?: number;
}

/** The protocol demands an end of a pause: in a hundred years. */
const PAUSE_MS = 100 * 365 * 86_400_000;
const ASK_TIMEOUT_MS = 1_000;

export function controlOf({
  connection,
  topology,
  publisher,
  streams,
  clock,
}: Pick<Resources, 'connection' | 'topology' | 'publisher' | 'streams' | 'clock'>): Control {
  return new BrokerControl(connection, topology, publisher, streams, clock);
}

class BrokerControl implements Control {
  private readonly settings: KeyValue;

  constructor(
    private readonly connection: NatsConnection,
    private readonly topology: Topology,
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    private readonly clock: BrokerClock,
  ) {
    const { names } = topology;
    this.settings = new KeyValue({
      publisher,
      streams,
      stream: names.controlStream,
      subjectOf: (key) => names.controlKey(key),
    });
  }

  async workers(): Promise<WorkerView[]> {
    const { connection, topology } = this;
    const reading: Promise<WorkerView>[] = [];
    for await (const { value, at } of this.entries('worker.*')) {
      const beat = heartBeatEntry.read(value);
      if (beat === undefined) continue;
      const condition = conditionOf(connection, topology.names, beat, at);
      reading.push(condition.then((found) => ({ ...beat, condition: found })));
    }
    const views = await Promise.all(reading);
    return views.toSorted((a, b) => a.name.localeCompare(b.name));
  }

  inspect(verb: InspectVerb, options: AskOptions = {}): Promise<WorkerReply[]> {
    return this.ask(verb, {}, options);
  }

  async setConcurrency(wanted: number, options: AskOptions = {}): Promise<WorkerReply[]> {
    return this.ask('concurrency', { concurrency: concurrency.require('concurrency', wanted) }, options);
  }

  shutdown(options: AskOptions = {}): Promise<WorkerReply[]> {
    return this.ask('shutdown', { shutdown: options.worker ?? ALL_WORKERS }, options);
  }

  async pause(queue: string): Promise<void> {
    await this.eachLane(queue, (manager, stream, consumer) =>
      manager.consumers.pause(stream, consumer, new Date(Date.now() + PAUSE_MS)),
    );
  }

  async resume(queue: string): Promise<void> {
    await this.eachLane(queue, (manager, stream, consumer) => manager.consumers.resume(stream, consumer));
  }

  async setRateLimit(task: string, limit: Omit<RateLimit, 'task'> | undefined): Promise<void> {
    const key = controlKeys.rate(requireToken(task, 'task'));
    if (limit === undefined) return this.set(key, undefined);
    const entry: RateLimit = {
      task,
      limit: rate.require('limit', limit.limit),
      perMs: ratePeriod.require('perMs', limit.perMs),
    };
    return this.set(key, entry);
  }

  async rateLimits(): Promise<RateLimit[]> {
    const limits: RateLimit[] = [];
    for await (const { value } of this.entries('rate.*')) {
      const limit = readRateLimit(value);
      if (limit !== undefined) limits.push(limit);
    }
    return limits;
  }

  async rateWaits(): Promise<RateWait[]> {
    return Promise.all((await this.rateLimits()).map(async (limit) => this.rateWait(limit)));
  }

  async setKeyLimit(task: string, name: string, setting: KeyLimitChange | undefined): Promise<void> {
    const key = controlKeys.keyLimit(requireToken(task, 'task'), requireToken(name, 'name'));
    return this.set(key, setting && settingOf(task, name, setting));
  }

  private async set(key: string, setting: RateLimit | KeyLimitSetting | undefined): Promise<void> {
    if (setting === undefined) await this.settings.delete(key);
    else await this.settings.put(key, JSON.stringify(setting));
  }

  async keyLimits(): Promise<KeyLimitSetting[]> {
    const settings: KeyLimitSetting[] = [];
    for await (const { value } of this.entries('limit.>')) {
      const setting = readKeyLimitSetting(value);
      if (setting !== undefined) settings.push(setting);
    }
    return settings;
  }

  async keyWaits(): Promise<KeyWait[]> {
    const { names } = this.topology;
    const gates = await gateMessages({ connection: this.connection, names }, '>');
    // Commands start faster without what reads them.
    if (gates.length === 0) return [];
    const { keyWaitsIn } = await import('../limits/waits.js');
    return keyWaitsIn(gates, this.streams, names, () => this.clock.now());
  }

  async keyLines(): Promise<KeyLine[]> {
    const { names } = this.topology;
    const gates = await gateMessages({ connection: this.connection, names }, '>');
    if (gates.length === 0) return [];
    const { keyLinesIn } = await import('../limits/waits.js');
    return keyLinesIn(gates, this.streams, names);
  }

  async circuits(): Promise<CircuitView[]> {
    const { names } = this.topology;
    const keys = names.controlKey(controlKeys.circuit('>'));
    const stored = await scanAll(this.connection, names.controlStream, keys);
    if (stored.length === 0) return [];
    const { circuitsIn } = await import('./circuits.js');
    return circuitsIn(stored, this.circuitParts);
  }

  openCircuit(service: string, { key }: OpenCircuitOptions = {}): Promise<void> {
    return this.setCircuit('open', service, key);
  }

  closeCircuit(service: string, { key }: OpenCircuitOptions = {}): Promise<void> {
    return this.setCircuit('closed', service, key);
  }

  private async setCircuit(state: 'open' | 'closed', service: string, key?: string): Promise<void> {
    const { setCircuit } = await import('./circuits.js');
    await setCircuit(this.circuitParts, state, service, key);
  }

  private get circuitParts() {
    const { publisher, streams, clock } = this;
    return { publisher, streams, names: this.topology.names, now: () => clock.now() };
  }

  private async rateWait(limit: RateLimit): Promise<RateWait> {
    const { names } = this.topology;
    const stored = await this.streams.get(names.lockStream, { last_by_subj: names.rateLineKey(limit.task) });
    const line = stored && rateLineEntry.read(readJson(stored));
    // Turns that were given for another limit are not kept.
    if (line === undefined || line.limit !== limit.limit || line.perMs !== limit.perMs)
      return { ...limit, waiting: 0 };
    const turns = Math.ceil((line.next - this.clock.now()) / (limit.perMs / limit.limit));
    return { ...limit, waiting: Math.max(0, turns) + line.beyond };
  }

  private async *entries(pattern: string): AsyncGenerator<{ value: unknown; at: Date }> {
    const { names } = this.topology;
    for await (const message of scanStream(this.connection, names.controlStream, names.controlKey(pattern))) {
      if (message.data.length > 0) yield { value: readJson(message), at: message.time };
    }
  }

  private async ask(
    verb: string,
    request: object,
    { worker, timeoutMs = ASK_TIMEOUT_MS }: AskOptions,
  ): Promise<WorkerReply[]> {
    timer.require('timeoutMs', timeoutMs);
    const subject = this.topology.names.workerSubject(
      worker === undefined ? ALL_WORKERS : requireToken(worker, 'worker'),
      verb,
    );
    const expected =
      worker === undefined
        ? (await this.workers()).filter(({ condition }) => isAnswering(condition)).length
        : 1;
    if (expected === 0) return [];
    const replies: WorkerReply[] = [];
    try {
      const answers = await this.connection.requestMany(subject, JSON.stringify(request), {
        strategy: 'count',
        maxMessages: expected,
        maxWait: timeoutMs,
      });
      for await (const answer of answers) replies.push(answer.json<WorkerReply>());
    } catch (error) {
      if (!isNoResponders(error)) throw error;
    }
    return replies;
  }

  private async eachLane(
    queue: string,
    change: (
      manager: Awaited<ReturnType<typeof jetstreamManager>>,
      stream: string,
      consumer: string,
    ) => Promise<unknown>,
  ): Promise<void> {
    const { names } = this.topology;
    const { name } = this.topology.queue(queue);
    const manager = await jetstreamManager(this.connection, { checkAPI: false });
    await Promise.all(
      names
        .carriers(name)
        .flatMap((carrier) =>
          PRIORITIES.map((priority) =>
            change(manager, names.queueStream(carrier), names.laneConsumer(carrier, priority)),
          ),
        ),
    );
  }
}
