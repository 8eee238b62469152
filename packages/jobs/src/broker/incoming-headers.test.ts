import { MsgHdrsImpl } from '@nats-io/nats-core';
import { MsgImpl } from '@nats-io/nats-core/internal';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headersOf } from './incoming-headers.js';

const name = fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,20}$/);
const value = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, ' '));

function messageOf(headers: Uint8Array | undefined, body: string): MsgImpl {
  const data = Buffer.concat([headers ?? new Uint8Array(), Buffer.from(body)]);
  const place = { subject: Buffer.from('s'), sid: 1, hdr: headers?.length ?? -1, size: data.length };
  return new MsgImpl(place, data, { publish: () => undefined });
}

test('are read as the client reads them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), fc.string(), (values, body) => {
      const sent = new MsgHdrsImpl();
      for (const [key, text] of values) sent.append(key, text);
      const message = messageOf(sent.encode(), body);
      const read = headersOf(message);
      expect([...(read ?? [])]).toEqual([...(message.headers ?? [])]);
      for (const [key] of values) expect(read?.get(key)).toBe(message.headers?.get(key));
      expect(read?.get('Absent')).toBe('');
      expect(message.string()).toBe(body);
    }),
  );
});

test('of a message that has none are absent, and a status is read', () => {
  expect(headersOf(messageOf(undefined, 'body'))).toBeUndefined();
  expect(headersOf(messageOf(Buffer.from('NATS/1.0 404 No Results\r\n\r\n'), ''))).toMatchObject({
    code: 404,
    description: 'No Results',
  });
});
