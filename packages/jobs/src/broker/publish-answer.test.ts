import { headers as newHeaders, type Msg } from '@nats-io/nats-core';
import { expect, test } from 'vitest';
import { publishAnswer } from './publish-answer.js';

const answer = (body: unknown): ReturnType<typeof publishAnswer> => {
  const reply: Pick<Msg, 'headers' | 'string'> = { string: () => JSON.stringify(body) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of it is read
  return publishAnswer(reply as Msg);
};

/** Every answer of nats-server 2.12 to 2.15 to a message for a stream. */
test.each<[number, number, string, object]>([
  [400, 10_002, 'the account is full', { kind: 'again', isFull: true, isStored: 'no' }],
  [503, 10_008, 'no leader', { kind: 'again', isFull: false, isStored: 'no' }],
  [503, 10_023, 'the server is full', { kind: 'again', isFull: true, isStored: 'no' }],
  [500, 10_028, 'no memory', { kind: 'again', isFull: true, isStored: 'unknown' }],
  [503, 10_039, 'JetStream is off for the account', { kind: 'again', isStored: 'unknown' }],
  [500, 10_047, 'no storage', { kind: 'again', isFull: true, isStored: 'unknown' }],
  [500, 10_051, 'some failure', { kind: 'again', isStored: 'unknown' }],
  [400, 10_054, 'the message is too large', { kind: 'refused' }],
  [400, 10_060, 'another stream', { kind: 'refused' }],
  [400, 10_070, 'another last message id', { kind: 'refused' }],
  [400, 10_071, 'another last sequence', { kind: 'conflict' }],
  [503, 10_076, 'JetStream is off', { kind: 'again', isStored: 'unknown' }],
  [503, 10_077, 'the store failed', { kind: 'again', isFull: true, isStored: 'unknown' }],
  [400, 10_097, 'too many headers', { kind: 'refused' }],
  [400, 10_109, 'the stream is sealed', { kind: 'refused' }],
  [500, 10_111, 'no roll-ups', { kind: 'refused' }],
  [500, 10_118, 'the stream is offline', { kind: 'again', isStored: 'unknown' }],
  [409, 10_158, 'the message id is in process', { kind: 'again', isFull: false, isStored: 'unknown' }],
  [503, 10_163, 'the sequence is not ready', { kind: 'again', isStored: 'no' }],
  [400, 10_164, 'a write to the subject is in process', { kind: 'conflict' }],
  [400, 10_165, 'no such time to live', { kind: 'refused' }],
  [429, 10_167, 'too many requests', { kind: 'again', isStored: 'no' }],
  [400, 10_189, 'no such schedule', { kind: 'refused' }],
  [400, 10_193, 'no sequence', { kind: 'refused' }],
])('%i/%i: %s', (code, errorCode, description, expected) => {
  expect(answer({ error: { code, err_code: errorCode, description } })).toMatchObject(expected);
});

test('a code of a later server is certain if it blames the message, and asked again otherwise', () => {
  expect(answer({ error: { code: 422, err_code: 19_999 } })).toMatchObject({ kind: 'refused' });
  expect(answer({ error: { code: 599, err_code: 19_999 } })).toMatchObject({
    kind: 'again',
    isStored: 'unknown',
  });
});

test('an acknowledgement, no stream, and no responders', () => {
  expect(answer({ stream: 'S', seq: 7, duplicate: true })).toEqual({
    kind: 'stored',
    ack: { stream: 'S', sequence: 7, duplicate: true },
  });
  expect(answer('hello')).toMatchObject({ kind: 'refused' });
  const headers = Object.assign(newHeaders(), { _code: 503 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of it is read
  const reply = { headers, string: () => '' } as unknown as Msg;
  expect(publishAnswer(reply)).toMatchObject({ kind: 'again', isStored: 'no' });
});
