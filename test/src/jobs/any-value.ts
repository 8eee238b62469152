/** JavaScript values that are hard to write down, for properties about what handlers throw, return and report. */
import fc from 'fast-check';

/** A fresh value each time, because some can be used only once, with a description for the report of a failure. */
export interface AnyValue {
  readonly name: string;
  make(): unknown;
}

const fail = (): never => {
  throw new Error('unreadable');
};

function withGetters(target: object, fields: readonly string[]): object {
  // A stack is made from the other fields when it is first read.
  if (target instanceof Error) void target.stack;
  for (const field of fields) Object.defineProperty(target, field, { get: fail, enumerable: true });
  return target;
}

function hostileProxy(target: object): object {
  return new Proxy(target, {
    get: fail,
    has: fail,
    ownKeys: fail,
    getPrototypeOf: fail,
    getOwnPropertyDescriptor: fail,
  });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function cycle(): object {
  const value: Record<string, unknown> = { name: 'cycle' };
  value['self'] = value;
  return value;
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function errorWith(fields: Record<string, unknown>): Error {
  return Object.assign(new Error('plain'), fields);
}

const KINDS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  infinity: () => Infinity,
  bigint: () => 2n ** 70n,
  symbol: () => Symbol('mark'),
  function: () => fail,
  'class instance': () =>
    new (class Odd {
      value = 1;
    })(),
  'invalid date': () => new Date(Number.NaN),
  map: () => new Map([['key', 1n]]),
  'half a surrogate pair': () => 'a\uD800b',
  'null character': () => 'a\0b',
  'huge text': () => 'x'.repeat(500_000),
  'huge text of four-byte letters': () => '𝒳'.repeat(150_000),
  cycle,
  'deep nesting': () => nested(20_000),
  'null prototype': () => Object.assign(Object.create(null), { code: 1 }),
  'null prototype in itself': () => {
    const value = Object.assign(Object.create(null), { message: 1 });
    value.cause = value;
    return value;
  },
  'toJSON that throws': () => ({ toJSON: fail }),
  'toJSON of nothing': () => ({ toJSON: () => undefined }),
  'toString that throws': () => ({ toString: fail, [Symbol.toPrimitive]: fail }),
  'getters that throw': () => withGetters({}, ['message', 'name', 'stack', 'retryable', 'then']),
  'proxy that throws': () => hostileProxy({}),
  'proxy of an error that throws': () => hostileProxy(new Error('hidden')),
  'revoked proxy': revokedProxy,
  'error with getters that throw': () =>
    withGetters(new Error('covered'), ['message', 'name', 'stack', 'cause', 'retryable', 'retryAfterMs']),
  'error with fields that are no text': () => errorWith({ message: { a: 1 }, name: 7, stack: [1] }),
  'error with fields of symbols': () =>
    errorWith({ message: Symbol('m'), name: Symbol('n'), stack: Symbol('s') }),
  'error with a huge message': () => new Error('y'.repeat(800_000)),
  'error that causes itself': () => {
    const error = new Error('circle');
    error.cause = error;
    return error;
  },
  'error with odd advice': () => errorWith({ retryable: 'yes', retryAfterMs: 1e15 }),
  'error with advice of NaN': () => errorWith({ retryAfterMs: Number.NaN, retryable: true }),
  'error with a toJSON that throws': () => errorWith({ toJSON: fail }),
  'error that prints badly': () =>
    errorWith({ [Symbol.for('nodejs.util.inspect.custom')]: fail, toString: fail }),
  'aggregate of errors': () => new AggregateError([cycle(), fail], 'many'),
  'thenable that rejects': () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- a value that a handler may return
    then: (_: unknown, reject: (reason: unknown) => void) => reject(cycle()),
  }),
  'thenable that throws': () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- a value that a handler may return
    then: fail,
  }),
};

/** One of the hostile values, or any other that fast-check thinks of. */
export const anyValue: fc.Arbitrary<AnyValue> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Object.entries(KINDS).map(([name, make]) => ({ name, make }))) },
  {
    weight: 1,
    arbitrary: fc
      .anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withObjectString: true,
        withTypedArray: true,
      })
      .map((value) => ({ name: 'anything', make: () => value })),
  },
);

/** Every hostile value once. */
export const hostileValues: readonly AnyValue[] = Object.entries(KINDS).map(([name, make]) => ({
  name,
  make,
}));
