import { readFile } from 'node:fs/promises';
import { loadConfiguration, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import {
  AUDIT_COLUMNS,
  auditKeys,
  auditLines,
  parseAnchor,
  readAnchors,
  readAuditLog,
  type AuditAnchor,
  type AuditFilter,
} from '@stratum/shared/audit';
import { verifyAudit } from '../audit/index.js';
import { withNats } from '../broker-session.js';
import { withDatabase } from '../database-session.js';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable, wrapped } from '../output.js';
import { printData } from '../terminal.js';
import { asTenant } from '../tenant-session.js';

interface FilterOptions extends AuditFilter {
  tenant?: number;
}

const EXPORTED_AT_ONCE = 1_000;

export async function list({
  tenant = PLATFORM_TENANT_ID,
  json,
  ...filter
}: FilterOptions & { limit: number; before?: number; json?: boolean }): Promise<void> {
  const events = await asTenant({ tenant, subject: 'audit' }, ({ client }) =>
    readAuditLog(client, tenant, filter),
  );
  if (json) {
    printJson(events);
    return;
  }
  if (events.length === 0) {
    console.log('No events match. New ones arrive within a minute.');
    return;
  }
  printTable(
    ['number', 'occurred', 'actor', 'action', flexible('subject'), flexible('details', 30)],
    events.map(({ sequence, occurred_at: at, actor, action, subject, details }) => [
      String(sequence),
      ago(at),
      actor,
      action,
      subject,
      JSON.stringify(details),
    ]),
  );
  if (events.length === filter.limit) console.log(`Next page: --before ${events.at(-1)?.sequence}`);
}

export async function exportEvents({
  tenant = PLATFORM_TENANT_ID,
  format: wanted,
  json,
  ...filter
}: FilterOptions & { format: 'csv' | 'ndjson'; json?: boolean }): Promise<void> {
  const format = json ? 'ndjson' : wanted;
  if (format === 'csv') await printData(`${AUDIT_COLUMNS.join(',')}\n`);
  await withDatabase({ role: 'stratum_api' }, async (pool) => {
    for (let before: number | undefined, isLast = false; !isLast;) {
      const events = await withTenant(pool, tenant, (client) =>
        readAuditLog(client, tenant, { ...filter, before, limit: EXPORTED_AT_ONCE }),
      );
      for (const line of auditLines(events, format)) await printData(`${line}\n`);
      before = events.at(-1)?.sequence;
      isLast = events.length < EXPORTED_AT_ONCE;
    }
  });
}

export async function verify({
  tenant,
  anchors: file,
  json,
}: {
  tenant?: number;
  anchors?: string;
  json?: boolean;
}): Promise<void> {
  const configuration = loadConfiguration(
    ['STRATUM_CREDENTIALS_KEY', 'STRATUM_AUDIT_KEY', 'STRATUM_PREFIX'],
    await localEnvironment(),
  );
  const stored = await withNats((connection) => readAnchors(connection, configuration.STRATUM_PREFIX));
  const anchors = [...stored.anchors, ...(file === undefined ? [] : await anchorsIn(file))];
  const chains = await withDatabase({}, (owner) =>
    verifyAudit(owner, auditKeys(configuration), anchors, { tenant }),
  );
  const isWhole = stored.unreadable === 0 && chains.every(({ problems }) => problems.length === 0);
  if (!isWhole) process.exitCode = 1;
  if (json) {
    printJson({ whole: isWhole, chains, unreadable_anchors: stored.unreadable });
    return;
  }
  if (chains.length === 0) {
    console.log('There are no events yet.');
    return;
  }
  printTable(
    ['tenant', 'events', 'anchored', wrapped('problems')],
    chains.map((chain) => [
      chain.tenant_id === PLATFORM_TENANT_ID ? 'platform' : String(chain.tenant_id),
      chain.events,
      chain.anchored,
      chain.problems.join('; ') || 'none',
    ]),
  );
  if (stored.unreadable > 0)
    console.log(`${stored.unreadable} messages among the anchors are not anchors: somebody wrote them.`);
  if (!isWhole)
    console.log(`Compare with a backup, and with exports: ${typed('audit export')} writes what is there.`);
}

async function anchorsIn(file: string): Promise<AuditAnchor[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line, index) => {
    const anchor = parseAnchor(line);
    if (anchor === undefined) throw new Error(`Line ${index + 1} of ${file} is not an anchor.`);
    return anchor;
  });
}
