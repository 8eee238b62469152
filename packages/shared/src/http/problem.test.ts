import { PublishError } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { toProblem } from './problem.js';

const withFields = (fields: object): Error => Object.assign(new Error('failed'), fields);
/** As the client library throws what JetStream refuses. */
const fromBroker = (status: number, code: number): Error =>
  withFields({ name: 'JetStreamApiError', status, code });

test.each<[string, unknown, string]>([
  ['a broker without room', fromBroker(503, 10_023), 'unavailable'],
  ['a full store', fromBroker(500, 10_047), 'unavailable'],
  ['a cluster without a leader', fromBroker(503, 10_008), 'unavailable'],
  ['a broker that does not answer', withFields({ name: 'TimeoutError' }), 'unavailable'],
  ['a message that found no room', new PublishError('publish_failed', 'full'), 'unavailable'],
  ['a message that may be stored', new PublishError('publish_unconfirmed', 'late'), 'unavailable'],
  ['a database that starts', withFields({ code: '57P03' }), 'unavailable'],
  ['a stream that is missing', fromBroker(404, 10_059), 'internal'],
  ['anything else', new Error('failed'), 'internal'],
])('%s', (_label, error, kind) => {
  expect(toProblem(error)).toMatchObject({ kind });
});
