import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { findNatsServer } from '../embedded/find-nats-server.js';
import { startNatsServer, type NatsServer } from '../embedded/nats-server.js';
import { AckMultiplexer } from './ack-multiplexer.js';
import { connectToNats } from './connect.js';
import { KeyValue } from './key-value.js';
import type { StreamMessage } from './stored-message.js';
import { StreamAccess } from './stream-access.js';

let server: NatsServer;
let dataDir: string;

beforeAll(async () => {
  const { path: binary } = await findNatsServer({ cacheDir: '.stratum' });
  dataDir = await mkdtemp(join(tmpdir(), 'stratum-key-value-'));
  server = await startNatsServer({ binary, dataDir });
});

afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** One bucket, as several processes see it. */
async function openBucket(
  processes: number,
  openStreams = (connection: NatsConnection): StreamAccess => new StreamAccess(connection),
): Promise<KeyValue[]> {
  const bucket = `test-${randomBytes(6).toString('hex')}`;
  const connection = await connectToNats({ servers: server.url, name: 'key-value-test' });
  onTestFinished(() => connection.close());
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    allow_direct: true,
  });
  return Array.from({ length: processes }, () => {
    const publisher = new AckMultiplexer(connection);
    onTestFinished(() => publisher.close());
    return new KeyValue({
      publisher,
      streams: openStreams(connection),
      stream: `KV_${bucket}`,
      subjectOf: (key) => `$KV.${bucket}.${key}`,
    });
  });
}

const countOf = (stored: { message: { string(): string } } | undefined): number =>
  Number(stored?.message.string() ?? 0);

test('changes that many make at the same time all apply', async () => {
  const writers = await openBucket(20);
  await Promise.all(
    writers.map((values) => values.change('count', (stored) => ({ body: String(countOf(stored) + 1) }))),
  );
  expect(countOf(await writers[0]?.get('count'))).toBe(20);
});

test('a change whose confirmation was lost is not made twice where its value is unique', async () => {
  const [values] = await openBucket(1);
  let calls = 0;
  const sequence = await values?.change(
    'key',
    async (stored) => {
      // What this call sends has arrived before, as after a lost confirmation.
      if (calls++ === 0) await values.put('key', 'by me', { expected: stored?.sequence ?? 0 });
      return { body: 'by me' };
    },
    { isUnique: true },
  );
  expect(calls).toBe(1);
  expect(await values?.get('key')).toMatchObject({ sequence });
});

test('a change may leave what is there', async () => {
  const [values] = await openBucket(1);
  const first = await values?.put('key', 'kept', { expected: 0 });
  expect(await values?.change('key', () => undefined)).toBeUndefined();
  expect(await values?.get('key')).toMatchObject({ sequence: first });
});

test('a write that expects something else is refused, and a deletion leaves a marker that a write can replace', async () => {
  const [values] = await openBucket(1);
  const first = await values?.put('key', 'one', { expected: 0 });
  expect(await values?.put('key', 'two', { expected: 0 })).toBeUndefined();
  expect(await values?.delete('key', { expected: first })).toBeGreaterThan(first ?? 0);
  await values?.change('key', (stored) => ({ body: `after "${stored?.message.string()}"` }));
  expect((await values?.get('key'))?.message.string()).toBe('after ""');
});

test('a key that others change again and again is given up, with its name and the advice to try again', async () => {
  const [values, others] = await openBucket(2);
  let tries = 0;
  const losing = values?.change('key', async () => {
    await others?.put('key', `other ${tries++}`);
    return { body: 'mine' };
  });
  await expect(losing).rejects.toMatchObject({
    code: 'publish_conflict',
    message: expect.stringMatching(/^The key \$KV\.\S+\.key was changed concurrently 30 times; try again\.$/),
  });
  expect(tries).toBe(30);
  expect((await values?.get('key'))?.message.string()).toBe('other 29');
});

/** As a cluster whose leader refuses a second write before the first can be read. */
class LateReads extends StreamAccess {
  private reads = 0;

  override newest(stream: string, filter: string): Promise<StreamMessage | undefined> {
    return this.reads++ < 3 ? Promise.resolve(undefined) : super.newest(stream, filter);
  }
}

test('of many that create a key one does, and the others learn its value, also while it cannot be read yet', async () => {
  const writers = await openBucket(20, (connection) => new LateReads(connection));
  const found = await Promise.all(
    writers.map(async (values, index) => {
      const { standing } = await values.create('key', String(index));
      return standing === undefined ? { first: index } : { other: countOf(standing) };
    }),
  );
  const [first, ...more] = found.flatMap((each) => each.first ?? []);
  expect(more).toEqual([]);
  expect(found.filter(({ other }) => other === first)).toHaveLength(19);
});
