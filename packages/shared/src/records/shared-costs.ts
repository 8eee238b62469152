/** Costs of a month that no campaign caused alone: `calculate_cost_allocation` spreads them. */
import { z } from 'zod';
import { currencyCode, given, monthStart, recordId, shortText } from './fields.js';
import type { RecordKind } from './record.js';

const spreadBy = z
  .enum(['spend', 'impressions', 'conversions', 'equally'])
  .describe('Campaigns bear it in proportion to this figure of theirs.');
/** A number would lose digits of large amounts. */
const amount = z
  .union([z.number().min(0).max(1e12).transform(String), z.string()])
  .pipe(z.string().regex(/^\d{1,14}(\.\d{1,6})?$/, 'must be an amount such as 1200.50'))
  .describe('Of the whole month, in its currency.');
const input = { name: shortText, month: monthStart, currency: currencyCode, amount, spread_by: spreadBy };
const NAMES = Object.keys(input);

export const sharedCosts: RecordKind = {
  noun: 'shared cost',
  plural: 'shared costs',
  path: 'shared-costs',
  scopes: { read: 'costs:read', write: 'costs:admin' },
  table: 'shared_cost',
  columns: {
    id: 'id',
    name: 'name',
    month: 'month',
    currency: 'currency',
    amount: 'trim_scale(amount)::text',
    spread_by: 'spread_by',
  },
  view: z
    .object({
      id: recordId,
      name: z.string(),
      month: z.iso.date().describe('Its first day.'),
      currency: z.string(),
      amount: z.string(),
      spread_by: spreadBy,
    })
    .meta({ id: 'SharedCost' }),
  create: z.strictObject(input),
  change: z.strictObject(input).partial(),
  toRow: (fields) => given(fields, NAMES),
  remove: {
    statement: 'DELETE FROM shared_cost WHERE tenant_id = current_tenant() AND id = $1',
    action: 'shared_cost.removed',
  },
};
