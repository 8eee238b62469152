/** Student's distribution for whole degrees of freedom, by its finite series (Abramowitz and Stegun 26.7.3 and 26.7.4). */

/** The probability of a value between −t and t. */
export function studentWithin(t: number, degrees: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees));
  const square = Math.cos(angle) ** 2;
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let factor = isOdd ? 3 : 2; factor <= degrees - 2; factor += 2) {
    term *= (square * (factor - 1)) / factor;
    sum += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return Math.min(1, within);
}

const BISECTIONS = 60;

/** The t with this probability between −t and t. */
export function studentQuantile(within: number, degrees: number): number {
  let low = 0;
  let high = 1;
  while (studentWithin(high, degrees) < within) high *= 2;
  for (let round = 0; round < BISECTIONS; round++) {
    const middle = (low + high) / 2;
    if (studentWithin(middle, degrees) < within) low = middle;
    else high = middle;
  }
  return high;
}
