import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flatJson } from './flat-json.js';

interface Entry {
  name: string;
  tenant?: string | undefined;
  alive: boolean;
  lag: number;
  limit: number;
  slots: number;
  queues: string[];
  state: 'running' | 'draining';
}

const entry = flatJson<Entry>({
  name: 'string',
  tenant: 'string?',
  alive: 'boolean',
  lag: 'number',
  limit: 'number above 0',
  slots: 'integer',
  queues: 'strings',
  state: ['running', 'draining'],
});

const entries = fc.record(
  {
    name: fc.string(),
    tenant: fc.string(),
    alive: fc.boolean(),
    lag: fc.double({ noNaN: true, noDefaultInfinity: true }),
    limit: fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true }),
    slots: fc.maxSafeInteger(),
    queues: fc.array(fc.string()),
    state: fc.constantFrom('running', 'draining'),
  },
  { requiredKeys: ['name', 'alive', 'lag', 'limit', 'slots', 'queues', 'state'] },
);

test('an entry is read as it is, without fields that are not described', () => {
  fc.assert(
    fc.property(entries, fc.jsonValue(), (value, other) => {
      expect(entry.read({ ...value, other })).toEqual(value);
    }),
  );
});

const VALID = {
  name: 'w1',
  alive: true,
  lag: 0.5,
  limit: 1,
  slots: 4,
  queues: ['sync'],
  state: 'running',
};

test.each([
  ['name', undefined],
  ['name', 1],
  ['tenant', null],
  ['alive', 'true'],
  ['lag', Infinity],
  ['limit', 0],
  ['slots', 1.5],
  ['slots', '4'],
  ['queues', 'sync'],
  ['queues', [1]],
  ['state', 'stopped'],
])('an entry whose %s is %j is not one', (field, value) => {
  expect(entry.read(VALID)).toEqual(VALID);
  expect(entry.read({ ...VALID, [field]: value })).toBeUndefined();
});

test('a value that is no object is not an entry', () => {
  for (const value of [undefined, null, 'text', 1, []]) expect(entry.read(value)).toBeUndefined();
});
