import { JetStreamApiError } from '@nats-io/jetstream';
import { NoRespondersError, TimeoutError } from '@nats-io/nats-core';
import { expect, test } from 'vitest';
import { JobsError, PublishError, TaskError } from '../errors.js';
import { isUnreachable, outagePauseMs } from './unreachable.js';

const withFields = (fields: object, message = 'failed'): Error => Object.assign(new Error(message), fields);
const refused = withFields({ code: 'ECONNREFUSED' });
const fromServer = (code: number, error: number): Error =>
  new JetStreamApiError({ code, err_code: error, description: 'refused' });
const circular = new Error('circular');
circular.cause = circular;

test.each<[string, unknown]>([
  ['a refused connection', refused],
  ['as the cause of another error', new TypeError('fetch failed', { cause: refused })],
  ['among several', new AggregateError([new Error('first'), refused])],
  ['a name that cannot be looked up', withFields({ code: 'EAI_AGAIN' })],
  ['a server that shuts down', withFields({ code: '57P01', severity: 'FATAL' })],
  ['a server that starts', withFields({ code: '57P03' })],
  ['a lost connection', withFields({ code: '08006' })],
  ['no connection left', withFields({ code: '53300' })],
  ['a missing role', withFields({ code: '22023', severity: 'FATAL' })],
  ['no responders', new NoRespondersError('a.subject')],
  ['a timeout of the broker', new TimeoutError()],
  ['a stream that cannot be read', new JobsError('lookup_failed', 'no answer')],
  ['an unconfirmed message', new PublishError('publish_unconfirmed', 'no answer')],
  ['a broker without room', fromServer(503, 10_023)],
  ['a full store', fromServer(500, 10_047)],
  ['a full stream', fromServer(503, 10_077)],
  ['an account at its limit', fromServer(400, 10_002)],
  ['a cluster without a leader', fromServer(503, 10_008)],
  ['too many requests of the broker', fromServer(429, 10_167)],
  ['a message that found no room', new PublishError('publish_failed', 'full', { unreachable: true })],
  ['an error that says so', withFields({ unreachable: true, retryable: true })],
])("%s is the world's", (_, error) => {
  expect(isUnreachable(error)).toBe(true);
});

test.each<[string, unknown]>([
  ['an error', new Error('failed')],
  ['the text of a code', new Error('ECONNREFUSED')],
  ['a violated constraint', withFields({ code: '23505', severity: 'ERROR' })],
  ['a slow statement', withFields({ code: '57014', severity: 'ERROR' })],
  ['a deadlock', withFields({ code: '40P01', severity: 'ERROR' })],
  ['advice of its own', new TaskError('failed', { cause: refused, retryable: true })],
  ['a wait of its own', new TaskError('failed', { cause: refused, retryAfterMs: 5 })],
  ['an error that denies it', withFields({ code: 'ECONNREFUSED', unreachable: false })],
  ["a handler's own timeout", new DOMException('too slow', 'TimeoutError')],
  ['circular causes', circular],
  ['a missing stream', fromServer(404, 10_059)],
  ['a conflict', fromServer(400, 10_071)],
  ['a roll-up that the stream does not take', fromServer(500, 10_111)],
  ['a number like a code of the broker', withFields({ code: 10_047, status: 500 })],
  ['a refused message', new PublishError('publish_failed', 'too large')],
  ['nothing', undefined],
  ['a text', '57P01'],
])("%s is the task's own", (_, error) => {
  expect(isUnreachable(error)).toBe(false);
});

test('the wait grows with the outage, from a second to a minute', () => {
  const middle = (lastedMs: number): number => outagePauseMs(lastedMs, () => 0.5);
  expect([0, 1_000, 10_000, 60_000, 86_400_000].map(middle)).toEqual([1_000, 1_000, 5_000, 30_000, 60_000]);
  expect(middle(-3_600_000)).toBe(1_000);
  expect([outagePauseMs(0, () => 0), outagePauseMs(0, () => 0.999)]).toEqual([750, 1_250]);
});
