/** Streams are bounded in size: old history is dropped for new, accepted work never is. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { auditNames } from '@stratum/shared';
import { eventStreamNames } from '@stratum/shared/customer-events';
import { expect, test } from 'vitest';
import { openEventsApi } from './customer-events/fixture.js';
import { openApi } from './fixture.js';
import type { Platform } from '../harness/platform.js';

const MIB = 1_048_576;
const PADDING = 'x'.repeat(30_000);

function batch(name: string): object {
  const events = Array.from({ length: 10 }, (_, index) => ({
    type: 'track',
    userId: 'u-1',
    event: 'Seen',
    messageId: `${name}-${index}`,
    properties: { PADDING },
  }));
  return { batch: events };
}

test('customer events beyond the limit get Retry-After; no accepted one is lost', async () => {
  const { send, startIngestion, stored } = await openEventsApi({ CUSTOMER_EVENTS_MAX_BYTES: String(MIB) });
  const accepted: string[] = [];
  let refused;
  for (let count = 0; count < 10 && refused === undefined; count++) {
    const reply = await send('/v1/batch', batch(`b${count}`));
    if (reply.status === 200) accepted.push(`b${count}`);
    else refused = reply;
  }
  expect(accepted.length).toBeGreaterThan(1);
  expect(refused).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } });
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  startIngestion();
  await stored(accepted.length * 10);
  const again = await send('/v1/batch', batch('again'));
  expect(again.status).toBe(200);
  const events = await stored((accepted.length + 1) * 10);
  expect(new Set(events.map(({ message_id: id }) => id.split('-')[0]))).toEqual(
    new Set([...accepted, 'again']),
  );
});

test('existing streams get their limits when a service starts, and keep their messages', async () => {
  const names = eventStreamNames;
  const makeOld = async ({ connection, prefix }: Platform): Promise<Record<string, string>> => {
    const { stream, filter, subject } = names(prefix);
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: stream, subjects: [filter], retention: 'workqueue' });
    for (let count = 0; count < 3; count++)
      await jetstream(connection).publish(subject(1, 1), PADDING.repeat(20));
    return { CUSTOMER_EVENTS_MAX_BYTES: String(MIB), TASK_EVENTS_MAX_BYTES: String(2 * MIB) };
  };
  const { connection, prefix, topology } = await openApi(makeOld);
  const manager = await jetstreamManager(connection);
  const read = async (stream: string): Promise<object> => {
    const { config, state } = await manager.streams.info(stream);
    return { discard: config.discard, limit: config.max_bytes, messages: state.messages };
  };
  expect(await read(names(prefix).stream)).toEqual({ discard: 'new', limit: MIB, messages: 3 });
  expect(await read(topology.names.eventStream)).toMatchObject({ discard: 'old', limit: 2 * MIB });
  expect(await read(auditNames(prefix).stream)).toMatchObject({ discard: 'new', limit: 512 * MIB });
});
