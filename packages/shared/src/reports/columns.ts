/** Columns and filters that sets of rows are described with. */
import { z } from 'zod';
import { instant, recordId } from '../records/fields.js';
import { plainText } from '../plain-text.js';
import type { ReportColumn, ReportFilter } from './report.js';

export const id = (sql: string, description?: string): ReportColumn => ({
  kind: 'id',
  sql,
  ...(description === undefined ? {} : { description }),
});
const column =
  (kind: ReportColumn['kind']) =>
  (sql: string, description?: string): ReportColumn => ({ ...id(sql, description), kind });
export const number = column('number');
export const money = column('money');
export const text = column('text');
export const texts = column('texts');
export const date = column('date');
export const time = column('time');
export const json = column('json');
export const orNull = (shown: ReportColumn): ReportColumn => ({ ...shown, nullable: true });

export const equals = (sql: string, type: string, schema: z.ZodType): ReportFilter => ({
  schema,
  condition: (place) => `${sql} = ${place}::${type}`,
});
export const byId = (sql: string): ReportFilter =>
  equals(sql, 'bigint', z.coerce.number({ error: 'must be an id' }).pipe(recordId));
export const oneOf = (sql: string, values: readonly string[]): ReportFilter =>
  equals(sql, 'text', z.enum(values));
export const byText = (sql: string): ReportFilter => equals(sql, 'text', plainText(200).min(1));
export const day = z.iso
  .date()
  .pipe(
    z
      .string()
      .refine((given) => given >= '1970-01-01' && given < '2200-01-01', 'must be a day from 1970 to 2199'),
  );
export const days = (sql: string): Record<'since' | 'until', ReportFilter> => ({
  since: { schema: day.describe('From this day on.'), condition: (place) => `${sql} >= ${place}::date` },
  until: { schema: day.describe('Before this day.'), condition: (place) => `${sql} < ${place}::date` },
});
export const times = (sql: string): Record<'since' | 'until', ReportFilter> => ({
  since: {
    schema: instant.describe('From this time on.'),
    condition: (place) => `${sql} >= ${place}::timestamptz`,
  },
  until: {
    schema: instant.describe('Before this time.'),
    condition: (place) => `${sql} < ${place}::timestamptz`,
  },
});
