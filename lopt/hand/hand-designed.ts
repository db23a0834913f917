import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { mapTensors } from '../../jit/trace/map-tensors.ts';
import { flatten } from '../../jit/trace/structure.ts';
import { numericNeeds, numericValues, readNumerics, type NumericTensors } from '../numeric.ts';
import type { Optimizer, TensorClass } from '../optimizer.ts';
import { readOptions, type GivenOptions, type OptionSchema, type OptionsOf } from '../options.ts';
import type { HandEntry } from '../registry-entry.ts';
import { stateRecords } from '../state.ts';

/** Every tensor is treated alike: there is one class. */
const ALIKE: TensorClass = { key: 'any' };

/** A hand-designed optimizer that treats every parameter tensor by one rule, with states that start at zero and have the parameter's shape. */
export interface HandDesign<
  S extends OptionSchema,
  State extends string,
  Shared extends Record<string, Tensor | undefined>,
> {
  readonly name: string;
  readonly source: string;
  readonly summary: string;
  readonly options: S;
  /** Names of all states. */
  readonly state: readonly State[];
  /** Whether a state is kept under these options. Default: all are. */
  keeps?(state: State, options: OptionsOf<S>): boolean;
  /** Refuses options that contradict each other. @throws RangeError */
  check?(options: OptionsOf<S>): void;
  /** Scalars that all tensors share, computed once a step (undefined: not needed); `k` is the 1-based number of the step, float32. */
  shared(numerics: NumericTensors<S>, at: { readonly k: Tensor }): Shared;
  /** One tensor's step: `p` parameter, `g` gradient, the states that are kept. Gives the next `p` and states. */
  rule(
    tensors: Readonly<Record<'p' | 'g' | State, Tensor>>,
    shared: Shared,
    options: OptionsOf<S>,
  ): Readonly<Record<'p', Tensor> & Partial<Record<State, Tensor>>>;
}

/** The registry entry of such an optimizer. */
export function handDesigned<
  S extends OptionSchema,
  State extends string,
  Shared extends Record<string, Tensor | undefined>,
>(design: HandDesign<S, State, Shared>): HandEntry {
  const { name, source, summary, options: schema, state } = design;
  return {
    family: 'hand-designed',
    name,
    source,
    summary,
    options: schema,
    needs: [],
    statePerParameter: state.length === 0 ? 'none' : state.join(', '),
    create(given: GivenOptions) {
      const options = readOptions(schema, given, { doing: `create ${name}` });
      design.check?.(options);
      return optimizerOf(design, options);
    },
  };
}

function optimizerOf<S extends OptionSchema, State extends string, Shared extends Record<string, Tensor | undefined>>(
  design: HandDesign<S, State, Shared>,
  options: OptionsOf<S>,
): Optimizer {
  const { arrays, roles } = numericValues(design.options, options);
  const classOf = (): TensorClass => ALIKE;
  const states = design.state.filter((name) => design.keeps?.(name, options) ?? true);
  return {
    name: design.name,
    options,
    needs: numericNeeds(design.options, options),
    values: arrays,
    valueRoles: roles,
    classOf,
    init({ params, specs }) {
      if (states.length === 0) return new Map();
      const start = mapTensors({ specs, classOf }, { p: params }, (_, { p }) =>
        Object.fromEntries(states.map((name) => [name, tf.zerosLike(p)])),
      );
      return flatten(start);
    },
    update({ values, params, grads, state, specs, step, horizon }) {
      const k = tf.add(tf.cast(step, 'float32'), 1);
      const numerics = readNumerics(design.options, options, { values, step, horizon });
      const shared = design.shared(numerics, { k });
      const { p, ...next } = mapTensors(
        { specs, classOf, shared },
        { p: params, g: grads, ...stateRecords(state, states) },
        // One boundary: the records are p, g and the design's states, for every path.
        (_, tensors, shared) => design.rule(tensors as Record<'p' | 'g' | State, Tensor>, shared, options),
      );
      return { params: p ?? new Map(), state: flatten(next) };
    },
  };
}
