/** Tells everybody, every few seconds, that this worker lives and what it does. */
import { headers as newHeaders } from '@nats-io/nats-core';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from '../telemetry/logger.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { StoredAck } from '../broker/publish-answer.js';
import { controlKeys, HEART_BEAT_MS, type HeartBeat } from '../control/entries.js';
import type { Load } from './worker-view.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';

/** A worker that died stays to be seen for a day. */
const KEPT = '24h';
/** A farewell that a broker does not take is given up: a supervisor waits for the end of the process. In milliseconds. */
const LEAVE_WITHIN_MS = 2_000;
const NANOS_PER_MS = 1e6;
const MICROS_PER_MS = 1e3;
/** Each sample wakes the process up. */
const LOOP_RESOLUTION_MS = 100;

export class HeartBeats {
  private readonly loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  private readonly key: string;
  /** As the last heartbeat said. */
  load: Load = { loopLagMs: 0, cpuPercent: 0 };
  private cpu = process.cpuUsage();
  private measuredAt = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly publisher: AckMultiplexer,
    names: Names,
    worker: string,
    private readonly logger: Logger,
    private readonly read: (load: Load) => HeartBeat,
    /** Called with each heartbeat that was stored. */
    private readonly onStored: (sentAt: number, ack: StoredAck) => void,
  ) {
    this.key = names.controlKey(controlKeys.worker(worker));
  }

  start(): void {
    this.loop.enable();
    this.beat();
    this.timer = setInterval(() => this.beat(), HEART_BEAT_MS);
  }

  /** Sends one now. */
  beat(): void {
    const headers = newHeaders();
    headers.set(ServerHeader.Ttl, KEPT);
    this.load = this.measure();
    const sentAt = performance.now();
    this.publisher
      .publish(this.key, JSON.stringify(this.read(this.load)), { headers, deadlineMs: HEART_BEAT_MS })
      .then((ack) => this.onStored(sentAt, ack))
      .catch((error: unknown) => this.logger.warn({ err: error }, 'the heartbeat could not be published'));
  }

  /** The load so far, from now on measured anew. */
  private measure(): Load {
    const loopLagMs = Math.max(0, Math.round(this.loop.max / NANOS_PER_MS - LOOP_RESOLUTION_MS));
    this.loop.reset();
    const cpu = process.cpuUsage();
    const now = performance.now();
    const usedMs = (cpu.user + cpu.system - this.cpu.user - this.cpu.system) / MICROS_PER_MS;
    const cpuPercent = Math.round((100 * usedMs) / Math.max(1, now - this.measuredAt));
    this.cpu = cpu;
    this.measuredAt = now;
    return { loopLagMs, cpuPercent };
  }

  /** Leaves: a worker that has stopped is not an unreachable one. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.loop.disable();
    const headers = newHeaders();
    headers.set('KV-Operation', 'DEL');
    headers.set(ServerHeader.Ttl, KEPT);
    await this.publisher
      .publish(this.key, '', { headers, deadlineMs: LEAVE_WITHIN_MS })
      .catch((error: unknown) => this.logger.warn({ err: error }, 'the worker could not deregister'));
  }
}
