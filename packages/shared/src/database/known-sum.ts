/** Sums of figures that a platform may not know. */

/**
 * SQL of the sum of a column over rows of daily figures: NULL where a day on which money was spent does not know it, or no day does, and 0
 * without a day: platforms report none without activity.
 * @param rows prefix of the columns, such as `m.`
 */
export const knownSum = (column: 'conversions' | 'revenue', rows = ''): string =>
  `CASE WHEN bool_or(${rows}${column} IS NULL AND ${rows}spend > 0) OR (count(${rows}spend) > 0 AND count(${rows}${column}) = 0)
     THEN NULL ELSE coalesce(sum(${rows}${column}), 0) END`;
