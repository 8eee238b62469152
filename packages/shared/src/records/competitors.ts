/** Competitors, whose sites and ads `refresh_all_competitors` reads. */
import { z } from 'zod';
import { digits, given, recordId, shortText, webAddress } from './fields.js';
import type { RecordKind } from './record.js';

const status = z.enum(['active', 'paused']).describe('Paused ones are not read.');
const countries = z
  .array(z.string().regex(/^[A-Z]{2}$/, 'must be a country such as DE'))
  .min(1)
  .max(50)
  .describe('Countries whose ads are read, as ISO 3166-1 codes.');
const page = digits.nullable().describe('Id of its page at Meta, for its ads.');
const website = webAddress.nullable();
const input = { name: shortText, website, page_id: page, countries, status };
const NAMES = Object.keys(input);

export const competitors: RecordKind = {
  noun: 'competitor',
  plural: 'competitors',
  path: 'competitors',
  scopes: { read: 'competitors:read', write: 'competitors:admin' },
  table: 'competitor',
  columns: {
    id: 'id',
    name: 'name',
    website: 'website',
    page_id: 'page_id',
    countries: 'countries',
    status: 'status',
  },
  view: z
    .object({
      id: recordId,
      name: z.string(),
      website: z.string().nullable(),
      page_id: z.string().nullable(),
      countries: z.array(z.string()),
      status,
    })
    .meta({ id: 'Competitor' }),
  create: z.strictObject({ ...z.strictObject(input).partial().shape, name: shortText }),
  change: z.strictObject(input).partial(),
  toRow: (fields) => given(fields, NAMES),
};
