import { MsgHdrsImpl } from '@nats-io/nats-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutgoingHeaders } from './outgoing-headers.js';

const name = fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,20}$/);
const token = fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/);
const text = fc.string({ unit: 'grapheme', minLength: 1 }).map((value) => value.replaceAll(/[\r\n]/g, ' '));

test('are encoded as the client encodes them, whether a value was put or set', () => {
  fc.assert(
    fc.property(
      // A name that is set again keeps its place when it is put, and moves to the end when it is set: the order means nothing.
      fc.uniqueArray(
        fc.tuple(name, fc.oneof(fc.tuple(fc.constant('put'), token), fc.tuple(fc.constant('set'), text))),
        { selector: ([key]) => key },
      ),
      (values) => {
        const [own, theirs] = [new OutgoingHeaders(), new MsgHdrsImpl()];
        for (const [key, [how, value]] of values) {
          if (how === 'put') own.put(key, value);
          else own.set(key, value);
          theirs.set(key, value);
        }
        expect(Buffer.from(own.encode())).toEqual(Buffer.from(theirs.encode()));
      },
    ),
  );
});
