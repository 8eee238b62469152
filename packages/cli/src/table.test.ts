import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringWidth } from './string-width.js';
import { tableLines, type Cell, type Column } from './table.js';

const ID = '5f0c2d9e-6a54-4a54-9d2e-0f6a5c1b7e11';
const COLUMNS: Column[] = [
  { title: 'id', fit: 'fixed' },
  { title: 'task', fit: 'truncate' },
  { title: 'retries', fit: 'fixed' },
  { title: 'error', fit: 'truncate' },
  { title: 'worker', fit: 'optional' },
];
const ROWS: Cell[][] = [
  [ID, 'sync_campaign_data', 5, 'The platform answered 500 three times in a row', 'host-4711-a1b2c3'],
  ['my-id-1', 'evaluate_rules', 1_200, null, 'host-4711-a1b2c3'],
];

describe('a table', () => {
  test('prints everything where no terminal shows it', () => {
    expect(tableLines(COLUMNS, ROWS, Infinity)).toEqual([
      'ID                                    TASK                RETRIES  ERROR                                           WORKER',
      `${ID}  sync_campaign_data        5  The platform answered 500 three times in a row  host-4711-a1b2c3`,
      'my-id-1                               evaluate_rules        1,200  –                                               host-4711-a1b2c3',
    ]);
  });

  test('truncates its longest flexible column on a terminal of 120 columns', () => {
    expect(tableLines(COLUMNS, ROWS, 120)).toEqual([
      'ID                                    TASK                RETRIES  ERROR                                WORKER',
      `${ID}  sync_campaign_data        5  The platform answered 500 three ti…  host-4711-a1b2c3`,
      'my-id-1                               evaluate_rules        1,200  –                                    host-4711-a1b2c3',
    ]);
  });

  test('leaves its optional column out on a terminal of 80 columns, and never cuts an id', () => {
    expect(tableLines(COLUMNS, ROWS, 80)).toEqual([
      'ID                                    TASK             RETRIES  ERROR',
      `${ID}  sync_campaign_…        5  The platform an…`,
      'my-id-1                               evaluate_rules     1,200  –',
    ]);
  });

  test('wraps at spaces', () => {
    const columns: Column[] = [
      { title: 'name', fit: 'fixed' },
      { title: 'scopes', fit: 'wrap' },
      { title: 'state', fit: 'fixed' },
    ];
    const row = ['ci', ['tasks:read', 'tasks:write'], 'active'];
    expect(tableLines(columns, [row], 80)).toEqual([
      'NAME  SCOPES       STATE',
      'ci    tasks:read   active',
      '      tasks:write',
    ]);
    expect(tableLines(columns, [row], Infinity)[1]).toBe('ci    tasks:read, tasks:write  active');
    expect(tableLines(columns, [['ci', 'see tasks and results', 'active']], 28)).toEqual([
      'NAME  SCOPES          STATE',
      'ci    see tasks and   active',
      '      results',
    ]);
  });

  test('keeps a row on one line, whatever the text', () => {
    expect(tableLines([{ title: 'error', fit: 'truncate' }], [['first\n  second']], Infinity)).toEqual([
      'ERROR',
      'first second',
    ]);
  });

  test('never exceeds the width unless its fixed columns do, and never cuts a fixed cell', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string(),
      fc.constantFrom('東京の店', '👩‍👩‍👧 family', 'Grüße'),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uuid(), cell, cell), { minLength: 1 }),
        fc.constantFrom<'truncate' | 'wrap'>('truncate', 'wrap'),
        fc.constantFrom(80, 120),
        (rows, fit, width) => {
          const clean = rows.map(([id, a, b]) => [id, printable(a), printable(b)]);
          const columns: Column[] = [
            { title: 'id', fit: 'fixed' },
            { title: 'name', fit },
            { title: 'note', fit },
          ];
          const lines = tableLines(columns, clean, width);
          for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
          for (const [id = ''] of clean) expect(lines.some((line) => line.startsWith(id))).toBe(true);
        },
      ),
    );
  });
});

/** Names and messages that reach a table have no control characters. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '');
}

test('a column that would shrink below its least width is left out, before those that may shrink further', () => {
  const columns = [
    { title: 'id', fit: 'fixed' },
    { title: 'address', fit: 'truncate', least: 20 },
  ] as const;
  const rows = [['3woaxrzecy3gnacf', 'http://127.0.0.1:8557/v1/webhooks/3woaxrzecy3gnacf']];
  expect(tableLines(columns, rows, 37)).toEqual(['ID', '3woaxrzecy3gnacf']);
  expect(tableLines(columns, rows, 38)[1]).toBe('3woaxrzecy3gnacf  http://127.0.0.1:85…');
});
