/**
 * Wakes runs that nobody else has woken: the sender of an event died between storing it and waking those who wait for it, or the worker of a run
 * between ending its attempt and looking once more. Several may do this at once.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { scanStream } from '../broker/scan.js';
import type { Resources } from '../resources/resources.js';
import { isFinal } from '../wire/record.js';

/** Runs that are awake now and are looked at again. Others are found by their next event, or at their timeout. */
const MOST_AWAKE = 10_000;

type Parts = Pick<Resources, 'connection' | 'names' | 'eventLog' | 'callEnds' | 'waking' | 'lookup'>;

export class UnheardWaits {
  /** The next event to look at. */
  private next = 1;
  /** Keys of waiters that did not sleep when their event came. */
  private readonly awake = new Set<string>();

  constructor(private readonly parts: Parts) {}

  async search(_manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    await this.wakeForEvents(signal);
    await this.wakeForEnds(signal);
  }

  private async wakeForEvents(signal: AbortSignal): Promise<void> {
    const { connection, names, eventLog } = this.parts;
    for (const key of this.awake) {
      if (signal.aborted) return;
      if ((await eventLog.wakeAgain(key)) !== 'awake') this.awake.delete(key);
    }
    for await (const { subject, seq } of scanStream(
      connection,
      names.lockStream,
      names.eventKeys(),
      this.next,
    )) {
      if (signal.aborted) return;
      const topic = eventLog.topicOf(subject);
      const { awake } = topic === undefined ? { awake: [] } : await eventLog.wakeAll(topic);
      for (const key of awake) if (this.awake.size < MOST_AWAKE) this.awake.add(key);
      this.next = seq + 1;
    }
  }

  private async wakeForEnds(signal: AbortSignal): Promise<void> {
    const { callEnds, waking, lookup } = this.parts;
    for await (const { run, subject, position } of callEnds.untaken()) {
      if (signal.aborted) return;
      if (await waking.wake(subject)) continue;
      const { id, task, tenant } = run;
      const record = await lookup.record(id, { task, tenant: tenant ?? null });
      // Nobody will take it.
      if (record !== undefined && isFinal(record.state)) await callEnds.remove(run, position);
    }
  }
}
