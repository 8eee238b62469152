/** Least squares in which each coefficient is drawn to zero by what is known of it beforehand. */

/** A row's features that are not zero, by ascending place. */
export interface Features {
  places: readonly number[];
  values: readonly number[];
}

/**
 * Coefficients of a ridge regression (Hoerl and Kennard 1970), by Cholesky's decomposition of the normal equations.
 * @param penalties for each coefficient: the variance of the errors, divided by the coefficient's own before anything was seen
 */
export function ridge(
  rows: readonly Features[],
  targets: readonly number[],
  { penalties, weights }: { penalties: readonly number[]; weights: readonly number[] },
): number[] {
  const size = penalties.length;
  const matrix = penalties.map((penalty, place) => {
    const row = new Float64Array(size);
    row[place] = penalty;
    return row;
  });
  const right = new Float64Array(size);
  for (const [index, { places, values }] of rows.entries()) {
    const weight = weights[index] ?? 1;
    const target = targets[index] ?? 0;
    // Plain loops: they run a hundred million times for a tenant.
    for (let i = 0; i < places.length; i++) {
      const place = places[i] ?? 0;
      const value = weight * (values[i] ?? 0);
      right[place] = (right[place] ?? 0) + value * target;
      const row = matrix[place];
      if (row === undefined) continue;
      for (let j = 0; j <= i; j++) {
        const other = places[j] ?? 0;
        row[other] = (row[other] ?? 0) + value * (values[j] ?? 0);
      }
    }
  }
  return solve(matrix, right);
}

/** Of a symmetric positive definite matrix, given by its lower half, which is overwritten. */
function solve(lower: readonly Float64Array[], right: Float64Array): number[] {
  for (const [place, row] of lower.entries()) {
    for (let column = 0; column <= place; column++) {
      const other = lower[column];
      if (other === undefined) continue;
      let rest = row[column] ?? 0;
      for (let before = 0; before < column; before++) rest -= (row[before] ?? 0) * (other[before] ?? 0);
      row[column] =
        column === place ? Math.sqrt(Math.max(rest, Number.EPSILON)) : rest / (other[column] ?? 1);
    }
  }
  const solution = [...right];
  for (const [place, row] of lower.entries()) {
    let rest = solution[place] ?? 0;
    for (let before = 0; before < place; before++) rest -= (row[before] ?? 0) * (solution[before] ?? 0);
    solution[place] = rest / (row[place] ?? 1);
  }
  for (let place = lower.length - 1; place >= 0; place--) {
    let rest = solution[place] ?? 0;
    for (let after = place + 1; after < lower.length; after++)
      rest -= (lower[after]?.[place] ?? 0) * (solution[after] ?? 0);
    solution[place] = rest / (lower[place]?.[place] ?? 1);
  }
  return solution;
}

/** What the coefficients make of a row, of its places from `from` up to, but without, `until`. */
export function predicted(
  { places, values }: Features,
  coefficients: readonly number[],
  { from, until }: { from: number; until: number },
): number {
  let sum = 0;
  for (let i = 0; i < places.length; i++) {
    const place = places[i] ?? 0;
    if (place >= from && place < until) sum += (values[i] ?? 0) * (coefficients[place] ?? 0);
  }
  return sum;
}
