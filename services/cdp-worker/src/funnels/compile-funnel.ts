/**
 * Compiles a funnel to one pass over the events of its steps.
 *
 * For each event in order of time the statement keeps, step by step, the latest start of a chain that reaches it: the start of a
 * chain at step k is the latest start at step k−1 before it, if that lies within the window. The latest start leaves the most of the
 * window, so no other choice gets further, and a profile's depth is the deepest chain over all its first steps. What happened at one and
 * the same time, as events do that a program sends together, counts in the order that gets furthest: each event for one step. While an
 * event fits one step at most, that is the order of the steps; where steps share an event, those of one time are taken together.
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
  const shared = new Set(funnel.steps.map(({ event }) => event)).size < funnel.steps.length;
  const { rows, order, leads } = shared ? momentsOf(numbers) : eventsOf(numbers);
  const passes = numbers.slice(1).map((step) => {
    const chains = numbers.slice(0, step - 1).map((before) => {
      const start = `max(start_${before}) OVER chain`;
      return {
        before,
        start: `CASE WHEN ${leads(before, step)} AND ${start} + ${window} >= occurred_at THEN ${start} END`,
      };
    });
    const useful = chains.filter(({ before }) => shared || before === step - 1).map(({ start }) => start);
    const atOnce = shared ? [`CASE WHEN ${leads(0, step)} THEN occurred_at END`] : [];
    return `pass_${step} AS (
      SELECT *, greatest(${[...useful, ...atOnce].join(', ')}) AS start_${step}
      FROM pass_${step - 1}
      WINDOW chain AS (PARTITION BY profile_id ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
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
    WITH step_events AS (
      SELECT e.profile_id, e.occurred_at, e.message_id, ${breakdown} AS value, ${flags} FROM cdp_event e
      WHERE e.tenant_id = ${tenant} AND e.name = ANY(${names}) AND e.occurred_at > ${from} AND e.occurred_at <= ${to}
    ), pass_1 AS (
      SELECT *, CASE WHEN is_1 THEN occurred_at END AS start_1 FROM (${rows}) course
    ), ${passes.join(', ')}, deepest AS (
      SELECT profile_id, ${depth} AS depth, ${firstStart} AS start FROM pass_${last} GROUP BY profile_id
    ), timed AS (
      SELECT d.profile_id, d.depth, min(l.value) FILTER (WHERE l.is_1 AND l.occurred_at = d.start) AS value, ${times}
      FROM deepest d JOIN pass_${last} l USING (profile_id) WHERE d.depth IS NOT NULL GROUP BY d.profile_id, d.depth
    )
    SELECT profile_id, depth, value, ${waits} FROM timed`;
  return { text, values: statement.values };
}

/** What the passes go over, in which order, and the condition that leads from a step to a later one. */
interface Course {
  rows: string;
  order: string;
  leads: (before: number, step: number) => string;
}

/** Where no event fits two steps: one by one, those of one time in the order of the steps. */
function eventsOf(numbers: readonly number[]): Course {
  const place = `CASE ${numbers.map((step) => `WHEN is_${step} THEN ${step}`).join(' ')} END`;
  return {
    rows: 'SELECT * FROM step_events',
    order: `occurred_at, ${place}, message_id`,
    leads: (_before, step) => `is_${step}`,
  };
}

/**
 * All events of a profile at one time as one row. From step b they lead to step s when each of the steps b+1 … s can have an event of its
 * own: by Hall's theorem, when no set of these steps has fewer events than steps. `reach[b + 1]` is the last such step.
 */
function momentsOf(numbers: readonly number[]): Course {
  const last = numbers.length;
  const mask = numbers.map((step) => `CASE WHEN is_${step} THEN ${1 << (step - 1)} ELSE 0 END`).join(' + ');
  const flags = numbers.map((step) => `bool_or(coalesce(is_${step}, false)) AS is_${step}`).join(', ');
  // A moment that is one event leads one step at most.
  const alone = numbers.map((step) => `CASE WHEN is_${step} THEN ${step} ELSE ${step - 1} END`).join(', ');
  return {
    rows: `
      SELECT profile_id, occurred_at, value, ${numbers.map((step) => `is_${step}`).join(', ')},
        CASE WHEN cardinality(masks) = 1 THEN ARRAY[${alone}] ELSE ARRAY(
          SELECT coalesce(min(length(ltrim(steps::bit(${last})::text, '0'))) FILTER (WHERE steps & ((1 << before) - 1) = 0), ${last + 1}) - 1
          FROM generate_series(0, ${last - 1}) before LEFT JOIN LATERAL (
            SELECT steps FROM generate_series(1, ${(1 << last) - 1}) steps
            WHERE (SELECT count(*) FROM unnest(masks) fits WHERE fits & steps <> 0) < bit_count(steps::bit(${last}))
          ) lacking ON true
          GROUP BY before ORDER BY before
        ) END AS reach
      FROM (
        SELECT profile_id, occurred_at, min(value) FILTER (WHERE is_1) AS value, ${flags}, array_agg(${mask}) AS masks
        FROM step_events GROUP BY profile_id, occurred_at
      ) moments`,
    order: 'occurred_at',
    leads: (before, step) => `reach[${before + 1}] >= ${step}`,
  };
}
