/**
 * Compiles a funnel to one pass over the events of its steps.
 *
 * For each event in order of time the statement keeps, step by step, the latest start of a chain that reaches it: the start of a
 * chain at step k is the latest start at step k−1 before it, if that lies within the window. The latest start leaves the most of the
 * window, so no other choice gets further, and a profile's depth is the deepest chain over all its first steps. What happened at one and
 * the same time, as events do that a program sends together, is taken in the order of the steps.
 */
import type { Funnel } from '@stratum/shared/customer-data';
import { jsonCondition } from '../segments/json-condition.js';
import { Statement } from '../sql.js';

export interface CompiledFunnel {
  text: string;
  values: unknown[];
}

/** A row for each profile: its depth, the value to break down by, and the seconds from step to step of its first deepest chain. */
export function compileFunnel(
  funnel: Funnel,
  { tenantId, since, until }: { tenantId: number; since: Date; until: Date },
): CompiledFunnel {
  const statement = new Statement();
  const tenant = statement.place(tenantId, 'bigint');
  const from = statement.place(since, 'timestamptz');
  const to = statement.place(until, 'timestamptz');
  const window = `${statement.place(funnel.window_seconds, 'float8')} * interval '1 second'`;
  const numbers = funnel.steps.map((_, index) => index + 1);
  const matches = funnel.steps.map(({ event, where }) =>
    [
      `e.name = ${statement.place(event, 'text')}`,
      ...where.map((filter) => jsonCondition(statement, 'e.properties', filter.property, filter, to)),
    ].join(' AND '),
  );
  const names = statement.place([...new Set(funnel.steps.map(({ event }) => event))], 'text[]');
  const breakdown =
    funnel.breakdown === undefined
      ? 'NULL::text'
      : `e.properties ->> ${statement.place(funnel.breakdown, 'text')}`;
  const flags = matches.map((match, index) => `(${match}) AS is_${index + 1}`).join(', ');
  const place = `CASE ${numbers.map((step) => `WHEN is_${step} THEN ${step}`).join(' ')} END`;
  const passes = numbers.slice(1).map((step) => {
    const before = `max(start_${step - 1}) OVER chain`;
    return `pass_${step} AS (
      SELECT *, CASE WHEN is_${step} AND ${before} + ${window} >= occurred_at THEN ${before} END AS start_${step}
      FROM pass_${step - 1}
      WINDOW chain AS (PARTITION BY profile_id ORDER BY occurred_at, ${place}, message_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )`;
  });
  const last = numbers.length;
  const depth = `CASE ${numbers
    .toReversed()
    .map((step) => `WHEN bool_or(start_${step} IS NOT NULL) THEN ${step}`)
    .join(' ')} END`;
  const firstStart = `CASE ${numbers
    .toReversed()
    .map((step) => `WHEN bool_or(start_${step} IS NOT NULL) THEN min(start_${step})`)
    .join(' ')} END`;
  const times = numbers
    .map((step) => `min(l.occurred_at) FILTER (WHERE l.start_${step} = d.start) AS time_${step}`)
    .join(', ');
  const waits = numbers
    .slice(1)
    .map(
      (step) =>
        `CASE WHEN depth >= ${step} THEN extract(epoch FROM time_${step} - time_${step - 1})::float8 END AS wait_${step}`,
    )
    .join(', ');
  const text = `
    WITH pass_1 AS (
      SELECT *, CASE WHEN is_1 THEN occurred_at END AS start_1 FROM (
        SELECT e.profile_id, e.occurred_at, e.message_id, ${breakdown} AS value, ${flags} FROM cdp_event e
        WHERE e.tenant_id = ${tenant} AND e.name = ANY(${names}) AND e.occurred_at > ${from} AND e.occurred_at <= ${to}
      ) step_events
    ), ${passes.join(', ')}, deepest AS (
      SELECT profile_id, ${depth} AS depth, ${firstStart} AS start FROM pass_${last} GROUP BY profile_id
    ), timed AS (
      SELECT d.profile_id, d.depth, min(l.value) FILTER (WHERE l.is_1 AND l.occurred_at = d.start) AS value, ${times}
      FROM deepest d JOIN pass_${last} l USING (profile_id) WHERE d.depth IS NOT NULL GROUP BY d.profile_id, d.depth
    )
    SELECT profile_id, depth, value, ${waits} FROM timed`;
  return { text, values: statement.values };
}
