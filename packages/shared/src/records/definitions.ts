/** Definitions: rules of campaigns, segments and funnels of customers. */
import { z } from 'zod';
import { funnelSchema } from '../customer-data/funnel.js';
import { lockSegments, refuseCycle, SegmentCycleError } from '../customer-data/save-segment.js';
import { dependenciesOf, segmentTreeSchema } from '../customer-data/segment-tree.js';
import { RULE_STATUSES } from '../rules/rules.js';
import { ruleDefinitionSchema } from '../rules/rule.js';
import { computeCdpFunnel, computeCdpSegment } from '../tasks/cdp.js';
import { given, recordId, shortText, shownTime } from './fields.js';
import { RecordError, type RecordKind } from './record.js';

/** Largest value of the column. */
const MAX_PRIORITY = 2_147_483_647;
/** Stored ones are shown as they are: one of an older version may no longer be valid. */
const shownDefinition = z.looseObject({}).describe('With its defaults.');

const ruleInput = {
  name: shortText,
  definition: ruleDefinitionSchema.describe('See the guide on rules.'),
  status: z.enum(RULE_STATUSES).describe('Only active rules are evaluated. Default: draft.'),
  priority: z
    .int()
    .min(-MAX_PRIORITY)
    .max(MAX_PRIORITY)
    .describe('Of two rules that contradict each other the higher one decides. Default: 0.'),
};

export const rules: RecordKind = {
  noun: 'rule',
  plural: 'rules',
  path: 'rules',
  scopes: { read: 'rules:read', write: 'rules:admin' },
  table: 'rule',
  present: "status <> 'removed'",
  columns: {
    id: 'id',
    name: 'name',
    status: 'status',
    priority: 'priority',
    definition: 'definition',
    last_evaluated_at: 'last_evaluated_at',
    last_matched: 'last_matched',
  },
  view: z
    .object({
      id: recordId,
      name: z.string(),
      status: z.enum(RULE_STATUSES),
      priority: z.int(),
      definition: shownDefinition,
      last_evaluated_at: shownTime,
      last_matched: z.int().nullable().describe('Campaigns that it held for at the last evaluation.'),
    })
    .meta({ id: 'Rule' }),
  create: z.strictObject({
    ...ruleInput,
    status: ruleInput.status.optional(),
    priority: ruleInput.priority.optional(),
  }),
  change: z.strictObject(ruleInput).partial(),
  toRow: (fields) => withDefinition(given(fields, Object.keys(ruleInput))),
  // What it did to campaigns still counts for the largest step of a day, so the row stays. Its name is free again.
  remove: {
    statement: `UPDATE rule SET status = 'removed', name = name || ' (removed, ' || id || ')'
      WHERE tenant_id = current_tenant() AND id = $1`,
    action: 'rule.removed',
  },
};

const customerScopes = { read: 'segments:read', write: 'segments:admin' } as const;
const segmentInput = {
  name: shortText,
  definition: segmentTreeSchema.describe('See the guide on segments.'),
};

export const segments: RecordKind = {
  noun: 'segment',
  plural: 'segments',
  path: 'segments',
  scopes: customerScopes,
  table: 'cdp_segment',
  columns: {
    id: 'id',
    name: 'name',
    type: 'type',
    definition: 'definition',
    depends_on: 'depends_on',
    profile_count: 'profile_count',
    last_computed_at: 'last_computed_at',
  },
  view: z
    .object({
      id: recordId,
      name: z.string(),
      type: z.enum(['dynamic', 'static']).describe('Members of a static one are set by hand.'),
      definition: shownDefinition,
      depends_on: z.array(recordId).describe('Segments that it names.'),
      profile_count: z.int().nullable().describe('`null` until it has been computed.'),
      last_computed_at: shownTime,
    })
    .meta({ id: 'Segment' }),
  create: z.strictObject(segmentInput),
  change: z.strictObject(segmentInput).partial(),
  toRow: async (fields, { client }) => {
    const row = withDefinition(given(fields, Object.keys(segmentInput)));
    if (fields['definition'] === undefined) return row;
    await lockSegments(client);
    return { ...row, depends_on: dependenciesOf(segmentTreeSchema.parse(fields['definition'])) };
  },
  stored: async (client, id) => {
    try {
      await refuseCycle(client, id);
    } catch (error) {
      if (!(error instanceof SegmentCycleError)) throw error;
      throw new RecordError('invalid', `definition: ${error.message}`, 'definition');
    }
  },
  computation: (id, tenantId) => ({
    contract: computeCdpSegment,
    payload: { segment_id: id, tenant_id: tenantId },
  }),
  remove: {
    statement: `DELETE FROM cdp_segment WHERE tenant_id = current_tenant() AND id = $1
      AND NOT EXISTS (SELECT FROM cdp_segment d WHERE d.tenant_id = current_tenant() AND $1 = ANY (d.depends_on))`,
    action: 'segment.removed',
  },
};

const funnelInput = { name: shortText, definition: funnelSchema.describe('See the guide on funnels.') };

export const funnels: RecordKind = {
  noun: 'funnel',
  plural: 'funnels',
  path: 'funnels',
  scopes: customerScopes,
  table: 'cdp_funnel',
  columns: { id: 'id', name: 'name', definition: 'definition', last_computed_at: 'last_computed_at' },
  view: z
    .object({ id: recordId, name: z.string(), definition: shownDefinition, last_computed_at: shownTime })
    .meta({ id: 'Funnel' }),
  create: z.strictObject(funnelInput),
  change: z.strictObject(funnelInput).partial(),
  toRow: (fields) => withDefinition(given(fields, Object.keys(funnelInput))),
  computation: (id, tenantId) => ({
    contract: computeCdpFunnel,
    payload: { funnel_id: id, tenant_id: tenantId },
  }),
  remove: {
    statement: 'DELETE FROM cdp_funnel WHERE tenant_id = current_tenant() AND id = $1',
    action: 'funnel.removed',
  },
};

/** A JSON column takes text. */
function withDefinition(row: Record<string, unknown>): Record<string, unknown> {
  const { definition } = row;
  return definition === undefined ? row : { ...row, definition: JSON.stringify(definition) };
}
