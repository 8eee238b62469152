import { JetStreamApiError } from '@nats-io/jetstream';
import { NoRespondersError, RequestError } from '@nats-io/nats-core';
import { expect, test } from 'vitest';
import { PublishError } from '../errors.js';
import { isApiError, isConflict, isNoResponders, ServerCode } from './server-errors.js';

/** The same error as another copy of its library throws it: equal in structure, of a class that nobody here knows. */
function foreign(error: Error): Error {
  const copy = new Error(error.message, { cause: error.cause });
  for (const field of ['name', 'code', 'status']) {
    if (field in error) Object.defineProperty(copy, field, { value: Reflect.get(error, field) });
  }
  return copy;
}

const missingStream = new JetStreamApiError({ code: 404, err_code: 10_059, description: 'stream not found' });
/** The client does not export the class of a reply's status. */
const missingMessage = Object.assign(new Error('message not found'), {
  name: 'JetStreamStatusError',
  code: 404,
});
const conflict = new PublishError('publish_conflict', 'a message is there');
const unheard = new NoRespondersError('a.subject');
const wrapped = new RequestError('failed', { cause: unheard });

test.each([
  ['an answer of the API', isApiError, missingStream],
  ['a lost compare-and-set', isConflict, conflict],
  ['no responders', isNoResponders, unheard],
  ['no responders as a cause', isNoResponders, wrapped],
])('%s is recognised, whichever copy of the library throws it', (_, recognises, error) => {
  expect(recognises(error)).toBe(true);
  expect(recognises(foreign(error))).toBe(true);
  const others = [missingStream, missingMessage, conflict, unheard, wrapped].filter(
    (other) =>
      other !== error && !(recognises === isNoResponders && (other === unheard || other === wrapped)),
  );
  for (const other of [...others, new Error('no message found'), 'no responders', undefined, null, 404])
    expect(recognises(other)).toBe(false);
});

test('an API error is recognised by its code', () => {
  expect(isApiError(missingStream, ServerCode.StreamNotFound)).toBe(true);
  expect(isApiError(missingStream, ServerCode.ConsumerNotFound)).toBe(false);
});
