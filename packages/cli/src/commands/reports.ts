/** The command of every set of rows that jobs computed. */
import { filtersOf, readReport, reportAsCsv, REPORTS, type Report } from '@stratum/shared/reports';
import { z } from 'zod';
import { flexible, printJson, printTable } from '../output.js';
import { printData } from '../terminal.js';
import { cell } from '../record-cell.js';
import { asTenant, withTenantPool, type TenantOptions } from '../tenant-session.js';

interface ReadOptions extends TenantOptions {
  filter?: Readonly<Record<string, unknown>>;
  limit?: number;
  csv?: boolean;
}

const DEFAULT_LIMIT = 50;

function reportOf(name: string): Report {
  const report = REPORTS.find((each) => each.name === name);
  if (report === undefined) throw new Error(`There is no set of the name "${name}".`);
  return report;
}

export function readOf(name: string) {
  const report = reportOf(name);
  return async ({ tenant, json, filter = {}, limit, csv }: ReadOptions): Promise<void> => {
    const filters = parseFilters(report, filter);
    if (csv) {
      await withTenantPool({ tenant, subject: name }, async (pool) => {
        for await (const lines of reportAsCsv(pool, tenant, report, { filters, limit }))
          await printData(lines);
      });
      return;
    }
    const rows = await asTenant({ tenant, subject: name }, ({ client }) =>
      readReport(client, report, { filters, limit: limit ?? DEFAULT_LIMIT }),
    );
    if (json) return printJson(rows);
    if (rows.length === 0) return console.log('No rows.');
    const names = Object.keys(report.columns);
    printTable(
      names.map((each) => flexible(each.replaceAll('_', ' '))),
      rows.map((row) => names.map((each) => cell(row[each]))),
    );
  };
}

/** Columns and filters of a set, for the help. */
export function columnsHelp(name: string): string {
  const { columns, filters } = reportOf(name);
  return `Columns: ${Object.keys(columns).join(', ')}. Filters: ${Object.keys(filters).join(', ')}.`;
}

/** @throws Error that names the filter */
function parseFilters(report: Report, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const texts = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  const { data, error } = z.strictObject(filtersOf(report)).safeParse(texts);
  if (data !== undefined) return data;
  throw new Error(
    error.issues.map(({ path, message }) => `${path.join('.') || 'filter'}: ${message}`).join('\n'),
  );
}
