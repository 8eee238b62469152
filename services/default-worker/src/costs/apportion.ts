/** Divides a whole without losing or making a unit. */

/**
 * Largest remainder (Hamilton's method): shares in proportion to the weights, in whole units, that sum to the total. Of equal remainders
 * the first wins. When all weights are zero, everybody gets the same. Weights must not sum to less than zero.
 */
export function apportion(total: bigint, weights: readonly bigint[]): bigint[] {
  if (weights.length === 0) return [];
  const sum = weights.reduce((a, b) => a + b, 0n);
  if (sum === 0n)
    return apportion(
      total,
      weights.map(() => 1n),
    );
  const shares = weights.map((weight) => floorDivide(total * weight, sum));
  const remainders = weights.map((weight, index) => ({
    index,
    rest: total * weight - (shares[index] ?? 0n) * sum,
  }));
  let left = total - shares.reduce((a, b) => a + b, 0n);
  for (const { index } of remainders.toSorted((a, b) =>
    a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1,
  )) {
    if (left <= 0n) break;
    shares[index] = (shares[index] ?? 0n) + 1n;
    left--;
  }
  return shares;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** To the nearest, halves away from zero. */
export function divideRounded(a: bigint, b: bigint): bigint {
  const half = b / 2n;
  return a >= 0n ? (a + half) / b : -((-a + half) / b);
}
