import { groupOf, type Group } from '../../jit/trace/structure.ts';
import { numericNeeds, numericValues, readNumerics, type NumericTensors } from '../numeric.ts';
import type { Optimizer, Tensors, UpdateInput } from '../optimizer.ts';
import { readOptions, type GivenOptions, type OptionSchema, type OptionsOf } from '../options.ts';
import type { WrapperEntry } from '../registry-entry.ts';

/** A wrapper's own options and their tensors at this step. */
export interface OwnOptions<S extends OptionSchema> {
  readonly options: OptionsOf<S>;
  readonly numerics: NumericTensors<S>;
}

/** A wrapper without a state of its own: it changes the gradients that its base is given, or the parameters that its base gives. */
export interface WrapperDesign<S extends OptionSchema> {
  readonly name: string;
  readonly source: string;
  readonly summary: string;
  readonly options: S;
  /** The base when none is given. */
  readonly defaultBase: string;
  /** Refuses options that make no sense. @throws RangeError or SyntaxError */
  check?(options: OptionsOf<S>): void;
  /** The gradients that the base is given. Default: those given. */
  grads?(input: UpdateInput, own: OwnOptions<S>): Tensors;
  /** The next parameters, from those that the base gives. Default: those. */
  params?(next: Tensors, input: UpdateInput, own: OwnOptions<S>): Tensors;
}

/** The registry entry of such a wrapper. */
export function wrapper<S extends OptionSchema>(design: WrapperDesign<S>): WrapperEntry {
  const { name, source, summary, options, defaultBase } = design;
  return {
    family: 'wrapper',
    name,
    source,
    summary,
    options,
    defaultBase,
    needs: [],
    statePerParameter: 'that of the base',
    wrap: (given, base) => wrapped(design, given, base),
  };
}

function wrapped<S extends OptionSchema>(design: WrapperDesign<S>, given: GivenOptions, base: Optimizer): Optimizer {
  const options = readOptions(design.options, given, { doing: `create ${design.name}` });
  design.check?.(options);
  const { arrays, roles } = numericValues(design.options, options);
  return {
    name: design.name,
    options: { ...options, base: { name: base.name, ...base.options } },
    needs: [...new Set([...numericNeeds(design.options, options), ...base.needs])],
    values: new Map([...arrays, ...underBase(base.values)]),
    valueRoles: new Map([...roles, ...underBase(base.valueRoles)]),
    classOf: (spec) => base.classOf(spec),
    init: (input) => underBase(base.init({ ...input, values: groupOf(input.values, 'base') })),
    update(input) {
      const own = { options, numerics: readNumerics(design.options, options, input) };
      const grads = design.grads?.(input, own) ?? input.grads;
      const next = base.update({
        ...input,
        grads,
        values: groupOf(input.values, 'base'),
        state: groupOf(input.state, 'base'),
      });
      return { params: design.params?.(next.params, input, own) ?? next.params, state: underBase(next.state) };
    },
    ...weightsOf(base),
  };
}

function weightsOf(base: Optimizer): Pick<Optimizer, 'weights'> {
  if (base.weights === undefined) return {};
  const weights = base.weights.bind(base);
  return {
    weights: (input) =>
      weights({ ...input, values: groupOf(input.values, 'base'), state: groupOf(input.state, 'base') }),
  };
}

function underBase<T>(items: Group<T>): Map<string, T> {
  return new Map([...items].map(([name, item]) => [`base/${name}`, item]));
}
