/**
 * Decoupled weight decay beside any optimizer: after the base's step, each decayed tensor loses a share of what it was before.
 *
 * **Source** Loshchilov & Hutter 2017, arXiv 1711.05101; masks as in common practice (no decay of biases and norm gains).
 * **Checked against** AdamW by construction: over adam, with weightDecay lr * wd.
 * **Differs** `weightDecay` isn't multiplied by the base's learning rate, which the wrapper can't know; give it a schedule to let it fall.
 */
import * as tf from '@tensorflow/tfjs-core';
import { mapTensors } from '../../jit/trace/map-tensors.ts';
import { numeric } from '../numeric.ts';
import { ROLES, type ParamSpec, type TensorClass } from '../optimizer.ts';
import { choiceOption, listOption, optional, regularExpression, textOption, type OptionsOf } from '../options.ts';
import { wrapper } from './wrapper.ts';

const NAME = 'decoupled-weight-decay';

const OPTIONS = {
  weightDecay: numeric({ default: 1e-5, min: 0, meaning: 'share of itself that a decayed tensor loses each step' }),
  roles: optional(
    listOption({
      default: [],
      element: choiceOption({ choices: ROLES, default: 'hidden', meaning: 'role' }),
      meaning: 'roles that decay; null: all but bias and norm, and without role rank 2 and more',
    }),
  ),
  pattern: optional(
    textOption({
      default: '',
      meaning: 'regular expression: tensors whose path it matches decay; null: as roles says',
    }),
  ),
};

export const DECOUPLED_WEIGHT_DECAY = wrapper({
  name: NAME,
  source: 'Loshchilov & Hutter 2017, arXiv 1711.05101',
  summary: 'after the base’s step each decayed tensor loses weightDecay times what it was before',
  defaultBase: 'adam',
  options: OPTIONS,
  check: (options) => void decayedTensors(options),
  params(next, { params, specs }, { options, numerics }) {
    const decays = decayedTensors(options);
    const classOf = (spec: ParamSpec): DecayClass => {
      const decayed = decays(spec);
      return { key: decayed ? 'decayed' : 'not decayed', decayed };
    };
    const shared = { weightDecay: numerics.weightDecay.value };
    return mapTensors({ specs, classOf, shared }, { next, p: params }, ({ decayed }, { next, p }, { weightDecay }) => ({
      p: decayed ? tf.sub(next, tf.mul(weightDecay, p)) : next,
    })).p;
  },
});

interface DecayClass extends TensorClass {
  readonly decayed: boolean;
}

function decayedTensors({ roles, pattern }: OptionsOf<typeof OPTIONS>): (spec: ParamSpec) => boolean {
  if (roles === null && pattern === null)
    return ({ role, shape }) => (role === undefined ? shape.length >= 2 : role !== 'bias' && role !== 'norm');
  const matches =
    pattern === null ? undefined : regularExpression(pattern, { doing: `create ${NAME}`, path: 'pattern' });
  const listed = new Set<string>(roles);
  return ({ path, role }) => (role !== undefined && listed.has(role)) || (matches?.test(path) ?? false);
}
