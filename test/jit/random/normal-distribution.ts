/**
 * Upper tail 1 - Phi(x) of the standard normal distribution for x >= 0, in double precision: a power series near the middle
 * (G. Marsaglia, "Evaluating the normal distribution", J. Stat. Software 11, 2004), Laplace's continued fraction further out.
 */
export function upperTail(x: number): number {
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 3; term > 1e-18 * sum; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = x;
  for (let n = 150; n > 0; n -= 1) fraction = x + n / fraction;
  return density / fraction;
}

/** Phi(x). */
export function normalCdf(x: number): number {
  return x < 0 ? upperTail(-x) : 1 - upperTail(x);
}
