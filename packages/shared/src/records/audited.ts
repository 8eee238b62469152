/** Changes and readings of records as the audit log shows them. */
import type { AuditAction } from '../audit/actions.js';
import { DEFINITIONS, type DefinitionTable, type Fields, type RecordKind } from './record.js';

/** What the log calls the records of a kind. */
export function auditedKind({ table }: RecordKind): string {
  return isDefinition(table) ? DEFINITIONS[table] : table;
}

/** A definition is saved, whether it is new or not. */
export function auditedAction({ table }: RecordKind, change: 'created' | 'changed'): AuditAction {
  return isDefinition(table) ? `${DEFINITIONS[table]}.saved` : `${table}.${change}`;
}

/** The entry for having read records about people; `undefined` for other kinds. */
export function auditedReading(
  { personal }: RecordKind,
  found: readonly Fields[],
): { action: AuditAction; details: Record<string, unknown> } | undefined {
  if (personal === undefined) return undefined;
  return { action: `${personal.table}.read`, details: { ids: found.map(({ id }) => id) } };
}

/** A record without what the audit log must not hold. */
export function auditedFields({ personal }: RecordKind, record: Fields): Record<string, unknown> {
  const hidden = personal?.unaudited ?? [];
  return Object.fromEntries(Object.entries(record).filter(([name]) => !hidden.includes(name)));
}

function isDefinition(table: RecordKind['table']): table is DefinitionTable {
  return Object.hasOwn(DEFINITIONS, table);
}
