/** Values that a segment compares as numbers or times and that are neither: they compare with nothing, and their author should know. */
import { parseField, type Operator, type SegmentTree } from '@stratum/shared/customer-data';
import { Statement } from '../sql.js';
import { eventScope } from './compile.js';

export interface UnreadableValues {
  /** As the segment names it; a filter of an event as the property of the event. */
  field: string;
  as: 'number' | 'time';
  /** Counts them as `values`; `$1` is the tenant, `$2` the time. */
  sql: string;
  values: unknown[];
}

/** Of each field and reading once, in the order of the tree. */
export function unreadableValues(
  tree: SegmentTree,
  { tenantId, now }: { tenantId: number; now: Date },
): UnreadableValues[] {
  const found = new Map<string, UnreadableValues>();
  const add = (
    field: string,
    operator: Operator,
    count: (statement: Statement, as: string) => string,
  ): void => {
    const as = readingOf(operator);
    if (as === undefined || found.has(`${as} ${field}`)) return;
    const statement = new Statement();
    statement.values.push(tenantId, now);
    found.set(`${as} ${field}`, { field, as, sql: count(statement, as), values: statement.values });
  };
  for (const condition of conditionsOf(tree)) {
    const field = parseField(condition.field);
    if (field?.kind === 'trait')
      add(condition.field, condition.operator, (statement, as) => {
        const json = `p.traits -> ${statement.place(field.name, 'text')}`;
        return `SELECT count(*)::int AS values FROM cdp_profile p WHERE p.tenant_id = $1::bigint AND p.merged_into IS NULL AND $2::timestamptz IS NOT NULL AND ${isUnreadable(json, as)}`;
      });
    if (field === undefined || !('event' in field)) continue;
    const { event } = field;
    const ofProperty = (name: string, property: string, operator: Operator): void =>
      add(name, operator, (statement, as) => {
        const scope = eventScope(statement, event, { within_days: condition.within_days });
        const json = `e.properties -> ${statement.place(property, 'text')}`;
        return `SELECT count(*)::int AS values FROM cdp_event e WHERE ${scope} AND ${isUnreadable(json, as)}`;
      });
    if (field.kind === 'event_property') ofProperty(condition.field, field.property, condition.operator);
    for (const { property, operator } of condition.where ?? [])
      ofProperty(`event.${event}.property.${property}`, property, operator);
  }
  return [...found.values()];
}

function* conditionsOf({ conditions, groups }: SegmentTree): Iterable<SegmentTree['conditions'][number]> {
  yield* conditions;
  for (const group of groups) yield* conditionsOf(group);
}

function readingOf(operator: Operator): 'number' | 'time' | undefined {
  if (['gt', 'gte', 'lt', 'lte', 'between'].includes(operator)) return 'number';
  return ['before', 'after', 'within_last'].includes(operator) ? 'time' : undefined;
}

function isUnreadable(json: string, as: string): string {
  return `coalesce(${json}, 'null') NOT IN ('null', '""') AND read_${as}(${json}) IS NULL`;
}
