import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hideSensitive, restoreSensitive } from './hidden-fields.js';

const task = { name: 'call_partner', sensitive: ['customer'] };
const payload = {
  tenant_id: 1,
  token: 't-1',
  calls: [
    { url: 'https://a.example', apiKey: 'k-1' },
    { url: 'https://b.example', apiKey: 'k-2', customer: { name: 'Ana' } },
  ],
};
const hidden = {
  tenant_id: 1,
  token: '***1',
  calls: [
    { url: 'https://a.example', apiKey: '***2' },
    { url: 'https://b.example', apiKey: '***3', customer: '***4' },
  ],
};

test('each sensitive value has a mark of its own, whatever its depth', () => {
  expect(hideSensitive(payload, task.sensitive)).toEqual(hidden);
});

describe('marks become the values again', () => {
  test.each<[what: string, edited: unknown, meant: unknown]>([
    ['when nothing is changed', hidden, payload],
    [
      'of items that are moved and removed',
      { ...hidden, calls: [hidden.calls[1]] },
      { ...payload, calls: [payload.calls[1]] },
    ],
    ['but not of a field with a new value', { ...hidden, token: 't-2' }, { ...payload, token: 't-2' }],
    [
      'nowhere but in sensitive fields',
      { ...hidden, note: '***1', tenant_id: '***2' },
      { ...payload, note: '***1', tenant_id: '***2' },
    ],
  ])('%s', (_what, edited, meant) => {
    expect(restoreSensitive(edited, payload, task)).toEqual(meant);
  });

  test('and one that stands for nothing is refused by its field', () => {
    for (const mark of ['***', '***9'])
      expect(() => restoreSensitive({ calls: [{ apiKey: mark }] }, payload, task)).toThrow(
        `calls.0.apiKey: ${mark} stands for no hidden value`,
      );
  });

  test('of every payload, and no sensitive value is left in what people see', () => {
    const leaf = fc.oneof(
      fc.integer(),
      fc.string().map((text) => `plain-${text}`),
      fc.constant(null),
    );
    const secret = fc.string({ minLength: 1 }).map((text) => `secret-${text}`);
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.record({ name: tie('tree'), password: secret, customer: tie('tree') }, { requiredKeys: [] }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const seen = hideSensitive(value, task.sensitive);
        expect(JSON.stringify(seen)).not.toContain('secret-');
        expect(restoreSensitive(seen, value, task)).toEqual(value);
      }),
    );
  });
});
