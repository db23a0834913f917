/** Options that hand-designed optimizers share: one meaning and one range each. */
import { numeric, type NumericOption } from '../numeric.ts';

/** The learning rate. */
export function learningRate(value: number, source?: string): NumericOption {
  return numeric({ default: value, min: 0, meaning: 'learning rate', ...(source === undefined ? {} : { source }) });
}

/** Decay of a moving average, with what bias correction needs. */
export function decay(value: number, meaning: string): NumericOption<'complement' | 'log'> {
  return numeric({ default: value, min: 0, below: 1, meaning, folds: ['complement', 'log'] });
}

/** Added to a denominator. */
export function epsilon(value: number, meaning = 'added to the denominator'): NumericOption {
  return numeric({ default: value, min: 0, meaning });
}

/** L2 regularisation: weightDecay * p is added to the gradient. */
export const l2: NumericOption = numeric({
  default: 0,
  min: 0,
  meaning: 'L2 regularisation: weightDecay * p is added to the gradient',
});

/** Decoupled decay: p shrinks by lr * weightDecay * p besides the step. */
export function decoupled(value: number): NumericOption {
  return numeric({ default: value, min: 0, meaning: 'decoupled decay: p loses lr * weightDecay * p besides the step' });
}
