/** How tasks ended that runs have called: each end is kept for its run until that has taken it. */
import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue } from '../broker/key-value.js';
import { scanStream } from '../broker/scan.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Waking } from '../events/waking.js';
import { withoutStack } from '../record/task-record.js';
import { readJson } from '../values/read-json.js';
import type { AwaitedBy } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isFinal, taskRecordSchema, type TaskRecord } from '../wire/record.js';
import type { RunIdentity } from './journal.js';

export interface CallEndsParts {
  connection: NatsConnection;
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
  waking: Waking;
}

/** An end that its run has not taken yet. */
export interface UntakenEnd {
  run: RunIdentity;
  /** Of its task. */
  subject: string;
  position: string;
}

const endSchema = z.object({ subject: z.string(), record: taskRecordSchema });

/** As long as dead letters are kept: a run whose workers are away for that long is lost anyway. In milliseconds. */
const KEPT_MS = 30 * 86_400_000;
const MARKER_MS = 1_000;

export class CallEnds {
  private readonly keys: KeyValue;

  constructor(private readonly parts: CallEndsParts) {
    const { publisher, streams, names } = parts;
    this.keys = new KeyValue({ publisher, streams, stream: names.lockStream });
  }

  /** The called task has ended: keeps its record for the run, then wakes it. Idempotent. */
  async ended({ subject, position }: AwaitedBy, record: TaskRecord): Promise<void> {
    const { names, waking } = this.parts;
    const run = names.parseTaskSubject(subject);
    if (run === undefined || !isFinal(record.state)) return;
    const body = JSON.stringify({ subject, record: withoutStack(record) });
    await this.keys.put(names.callEndKey(run, position), body, { ttlMs: KEPT_MS });
    await waking.wake(subject);
  }

  async read(run: RunIdentity, position: string): Promise<TaskRecord | undefined> {
    const stored = await this.keys.get(this.parts.names.callEndKey(run, position));
    return stored && endSchema.safeParse(readJson(stored.message)).data?.record;
  }

  async remove(run: RunIdentity, position: string): Promise<void> {
    await this.keys.delete(this.parts.names.callEndKey(run, position), { ttlMs: MARKER_MS });
  }

  /** Those of all runs. */
  async *untaken(): AsyncGenerator<UntakenEnd> {
    const { connection, names } = this.parts;
    const all = names.callEndKey({ tenant: '*', task: '*', id: '*' }, '*');
    for await (const message of scanStream(connection, names.lockStream, all)) {
      const end = endSchema.safeParse(readJson(message)).data;
      const run = end && names.parseTaskSubject(end.subject);
      const position = message.subject.split('.').at(-1);
      if (end !== undefined && run !== undefined && position !== undefined)
        yield { run, subject: end.subject, position };
    }
  }
}
