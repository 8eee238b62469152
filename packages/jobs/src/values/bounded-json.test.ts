import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBoundedJson, parseExactJson, type JsonError } from './bounded-json.js';

/** Message and path of the refusal. */
function refusal(text: string, options?: Parameters<typeof parseBoundedJson>[1]): [string, string] {
  try {
    parseBoundedJson(text, options);
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else is thrown
    const { message, path } = error as JsonError;
    return [message, path.join('.')];
  }
  throw new Error(`accepted: ${text.slice(0, 100)}`);
}

test('any value of JSON is parsed as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(parseBoundedJson(text, { lenient: true })).toEqual(JSON.parse(text));
    }),
  );
});

test('whole numbers keep their digits, or are refused by their field', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (number) => {
      const text = `{"list":[1,{"id":${number}}],"note":"\\"id\\":12345678901234567891"}`;
      const exact = String(Number(number)) === String(number);
      expect(parseBoundedJson(text, { lenient: true })).toMatchObject({
        list: [1, { id: exact ? Number(number) : String(number) }],
      });
      if (exact) expect(parseBoundedJson(text)).toMatchObject({ list: [1, { id: Number(number) }] });
      else expect(refusal(text)).toEqual([expect.stringContaining('as text'), 'list.1.id']);
    }),
  );
  expect(refusal('{"a":{"b":-1e999999999999999}}')[1]).toBe('a.b');
  expect(refusal('[1,1e400]')[1]).toBe('1');
  expect(parseExactJson('[1e400,12,18446744073709551615,"1e5"]')).toEqual([
    '1e400',
    12,
    '18446744073709551615',
    '1e5',
  ]);
  expect(parseBoundedJson('[0.1000000000000000055511151231257827, 1e21, 5e-324]')).toEqual([
    0.1, 1e21, 5e-324,
  ]);
});

test('depth, fields and values are bounded before anything is parsed', () => {
  const bounds = { depth: 3, keys: 4, names: 2, nodes: 10 };
  expect(parseBoundedJson('[[[1]]]', { bounds })).toEqual([[[1]]]);
  expect(refusal('[[[[1]]]]', { bounds })[0]).toContain('3 levels');
  expect(refusal('{"a":1,"b":2,"c":3,"d":4,"e":5}', { bounds })[0]).toContain('4 fields');
  expect(parseBoundedJson('[{"a":1,"b":":"},{"a":1}]', { bounds })).toHaveLength(2);
  expect(refusal('[{"a":1,"b":2},{"c":3}]', { bounds })[0]).toContain('2 different names');
  expect(refusal(`[${'1,'.repeat(20)}1]`, { bounds })[0]).toContain('10 values');
  expect(parseBoundedJson('["[[[[{{{{::::,,,,,,,,,,,,\\\\"]', { bounds })).toEqual([
    '[[[[{{{{::::,,,,,,,,,,,,\\',
  ]);
  expect(refusal('['.repeat(8_000_000))[0]).toContain('levels');
  expect(refusal(`{"a":${'[{},'.repeat(100_000)}`)[0]).toMatch(/levels|values/);
});

test('texts that cannot be stored are refused by their field, wherever they are', () => {
  expect(refusal('{"a":[{"b":"x\\u0000"}]}')).toEqual([expect.stringContaining('NUL'), 'a.0.b']);
  expect(refusal('{"a":{"\\ud800":1}}')[0]).toContain('surrogate');
  expect(refusal('"\\udc00"')).toEqual([expect.stringContaining('surrogate'), '']);
  expect(parseBoundedJson('["\\ud83d\\ude00","\\\\u0000"]')).toEqual(['😀', '\\u0000']);
  expect(parseBoundedJson('"\\u0000"', { lenient: true })).toBe('\0');
});

test('a text that is no JSON is refused', () => {
  for (const text of ['', '{', '"', '"\\', '01', '-', '{"a" 1}', '[1,]', 'nul', '"\n"', '1 2', '}{'])
    expect(refusal(text)[0], text).toContain('valid JSON');
});
