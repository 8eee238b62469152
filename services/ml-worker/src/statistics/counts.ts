/** Counts that vary by more than chance. */

/**
 * The probabilities of at most, and of at least, this count, where counts have this mean and φ times the variance of Poisson's
 * distribution: negative binomial, Poisson's for φ = 1. Parts of counts are rounded.
 */
export function countTails(
  count: number,
  mean: number,
  dispersion: number,
): { atMost: number; atLeast: number } {
  const whole = Math.round(count);
  const size = dispersion > 1 + 1e-9 ? mean / (dispersion - 1) : undefined;
  let log = size === undefined ? -mean : -size * Math.log(dispersion);
  let below = 0;
  let term = Math.exp(log);
  for (let k = 0; k < whole; k++) {
    below += term;
    log +=
      size === undefined ? Math.log(mean / (k + 1)) : Math.log(((k + size) / (k + 1)) * (1 - 1 / dispersion));
    term = Math.exp(log);
  }
  return { atMost: Math.min(1, below + term), atLeast: Math.max(0, 1 - below) };
}

/** Nearly normal with a variance of one where the count is Poisson's with this mean (Anscombe 1953). */
export function anscombeResidual(count: number, mean: number): number {
  return (1.5 * (count ** (2 / 3) - mean ** (2 / 3))) / mean ** (1 / 6);
}
