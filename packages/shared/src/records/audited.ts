/** Changes of records as the audit log names them. */
import type { AuditAction } from '../audit/actions.js';
import { DEFINITIONS, type DefinitionTable, type RecordKind } from './record.js';

/** What the log calls the records of a kind. */
export function auditedKind({ table }: RecordKind): string {
  return isDefinition(table) ? DEFINITIONS[table] : table;
}

/** A definition is saved, whether it is new or not. */
export function auditedAction({ table }: RecordKind, change: 'created' | 'changed'): AuditAction {
  return isDefinition(table) ? `${DEFINITIONS[table]}.saved` : `${table}.${change}`;
}

function isDefinition(table: RecordKind['table']): table is DefinitionTable {
  return Object.hasOwn(DEFINITIONS, table);
}
