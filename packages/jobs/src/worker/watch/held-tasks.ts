/** Answers for what a worker holds, over a connection of the watchdog's own: the worker's event loop is blocked. */
import type { NatsConnection } from '@nats-io/nats-core';
import { reopen } from '../../broker/connect.js';
import { eachLimited } from '../../broker/each-limited.js';
import { HeldCopy } from '../../broker/held-copy.js';
import { EarlyMessage, heldPlace } from '../../broker/pull/early-message.js';
import { parseReply, pulledMessage, type PulledMessage } from '../../broker/pull/pulled-message.js';
import { storedSubject } from '../../broker/stored-message.js';
import { TimeLimitExceeded } from '../../errors.js';
import { Resources } from '../../resources/resources.js';
import { guardedLogger } from '../../telemetry/guarded-logger.js';
import { defineTopology } from '../../topology/define.js';
import { Attempt } from '../attempt.js';
import { readDelivery } from '../delivery.js';
import { Settler } from '../settle.js';
import type { TaskSubject } from '../../wire/names.js';
import { HeldGates } from './held-gates.js';
import type { HeldPlace } from './held-table.js';
import type { WatchSettings } from './watch-settings.js';

const WORK_IN_PROGRESS = '+WPI';

/** The task whose handler blocks the loop. */
export interface Culprit extends HeldPlace {
  readonly runtimeMs: number;
}

export interface HeldTasks {
  /** Starts their ack waits anew, and renews their places under limits by key. */
  extend(held: readonly HeldPlace[]): Promise<void>;
  /** Ends the culprit as `time_limit`, and hands the others back. */
  settle(held: readonly HeldPlace[], culprit: Culprit): Promise<void>;
  close(): Promise<void>;
}

export async function openHeldTasks({
  connection: options,
  worker,
  topology,
}: WatchSettings): Promise<HeldTasks> {
  const connection = await reopen(options, `${worker} watchdog`);
  const resources = new Resources({
    connection,
    topology: defineTopology(topology),
    ...(topology.maxResultBytes === undefined ? {} : { maxRecordBytes: topology.maxResultBytes }),
  });
  return new BrokerHeldTasks(connection, resources, worker);
}

class BrokerHeldTasks implements HeldTasks {
  private readonly settler: Settler;
  private readonly gates: HeldGates;
  /** Subjects by reply: of a message that is held for long they are read once. */
  private readonly subjects = new Map<string, TaskSubject>();
  private renewal: Promise<void> | undefined;

  constructor(
    private readonly connection: NatsConnection,
    private readonly resources: Resources,
    private readonly worker: string,
  ) {
    this.gates = new HeldGates(resources);
    // A hook is code of the program that hangs.
    this.settler = new Settler(resources, worker, { run: async () => undefined });
  }

  async extend(held: readonly HeldPlace[]): Promise<void> {
    await eachLimited(held, async ({ reply }) => {
      const copy = heldPlace(reply);
      if (copy === undefined) this.connection.publish(reply, WORK_IN_PROGRESS);
      else await (await this.copyAt(copy))?.extend();
    });
    await this.connection.flush();
    this.renewal ??= this.renewPlaces(held).finally(() => (this.renewal = undefined));
  }

  async settle(held: readonly HeldPlace[], culprit: Culprit): Promise<void> {
    // First of all the one that would end the next process as well.
    await this.settleOne(culprit, culprit);
    await eachLimited(
      held.filter(({ place }) => place !== culprit.place),
      (each) => this.settleOne(each),
    );
    await this.resources.close();
    await this.connection.flush();
  }

  async close(): Promise<void> {
    await this.renewal;
    await this.resources.close();
    await this.connection.close();
  }

  /** Beside the ack waits, which are shorter than the leases of places and must not wait for them. */
  private async renewPlaces(held: readonly HeldPlace[]): Promise<void> {
    try {
      await this.gates.renew(await this.subjectsOf(held));
    } catch {
      // A lease has the time of several tries; without the broker nobody else takes the place.
    }
  }

  private async subjectsOf(held: readonly HeldPlace[]): Promise<TaskSubject[]> {
    const found: TaskSubject[] = [];
    await eachLimited(held, async ({ reply }) => {
      const message = this.subjects.has(reply) ? undefined : await this.messageOf(reply);
      const subject = message && this.resources.names.parseTaskSubject(message.subject);
      if (subject !== undefined) this.subjects.set(reply, subject);
      const known = this.subjects.get(reply);
      if (known !== undefined) found.push(known);
    });
    for (const reply of this.subjects.keys())
      if (!held.some((each) => each.reply === reply)) this.subjects.delete(reply);
    return found;
  }

  private async settleOne({ reply }: HeldPlace, culprit?: Culprit): Promise<void> {
    const message = await this.messageOf(reply);
    const delivery = message && readDelivery(this.resources.names, message);
    if (delivery === undefined) return;
    const attempt = new Attempt(delivery, this.worker, guardedLogger(undefined), culprit?.runtimeMs);
    if (culprit === undefined) return this.settler.settle(attempt, { kind: 'handed_back' });
    const error = new TimeLimitExceeded(culprit.timeLimitMs);
    return this.settler.settle(attempt, { kind: 'dead', reason: 'time_limit', error });
  }

  /** `undefined` once it has been acknowledged. */
  private async messageOf(reply: string): Promise<PulledMessage | undefined> {
    const leases = { release: () => undefined };
    const place = heldPlace(reply);
    if (place !== undefined) {
      const copy = await this.copyAt(place);
      return copy && new EarlyMessage(leases, copy, Date.now());
    }
    const origin = parseReply(reply);
    const stored =
      origin && (await this.resources.streams.get(origin.stream, { seq: origin.streamSequence }));
    if (stored === undefined) return undefined;
    const { data, headers } = stored;
    const subject = storedSubject(stored);
    return pulledMessage(this.connection, leases, {
      subject,
      data,
      headers,
      reply,
      json: () => stored.json(),
    });
  }

  private copyAt({ stream, subject }: { stream: string; subject: string }): Promise<HeldCopy | undefined> {
    const { publisher, streams, clock, topology } = this.resources;
    const parts = {
      publisher,
      streams,
      now: () => clock.now(),
      ackWaitMs: topology.ackWaitMs,
      // Then it returns, as after a lost worker.
      onError: () => undefined,
    };
    return HeldCopy.find(parts, stream, subject);
  }
}
