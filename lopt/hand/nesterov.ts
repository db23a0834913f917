/**
 * Nesterov's accelerated gradient in the momentum form: `momentum` with the look-ahead on.
 *
 * **Source** Nesterov 1983, "A method of solving a convex programming problem with convergence rate O(1/k^2)"; form of torch.optim.SGD.
 * **Checked against** torch 2.15 (test/goldens/hand/nesterov.json.gz).
 * **Differs** in nothing.
 */
import { momentumDesign } from './momentum.ts';

export const NESTEROV = momentumDesign({
  name: 'nesterov',
  summary: 'T = momentum * T + g; p - lr * (g + momentum * T)',
  source: 'Nesterov 1983; torch.optim.SGD',
  nesterov: true,
});
