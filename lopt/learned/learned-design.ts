import type { Tensor } from '@tensorflow/tfjs-core';
import { numericNeeds, numericValues } from '../numeric.ts';
import type {
  Arrays,
  InitInput,
  LearnedOptimizer,
  Optimizer,
  Tensors,
  TensorClass,
  ThetaLeaf,
  UpdateInput,
} from '../optimizer.ts';
import type { ParamSpec, ValueRole } from '../optimizer.ts';
import { readOptions, type GivenOptions, type OptionSchema, type OptionsOf } from '../options.ts';
import type { LearnedEntry } from '../registry-entry.ts';
import { checkTheta, exportTheta, importTheta, initTheta } from './theta.ts';

/** What a learned optimizer's rule does once its options are fixed. */
export interface LearnedRule {
  readonly theta: readonly ThetaLeaf[];
  classOf(spec: ParamSpec): TensorClass;
  init(input: InitInput): Tensors;
  update(input: UpdateInput): { readonly params: Tensors; readonly state: Tensors };
}

/** What one tensor's step gives: the next parameter, and its states by name. */
export interface Stepped extends Readonly<Record<string, Tensor>> {
  readonly p: Tensor;
}

/** A learned optimizer: how its options make its rule. */
export interface LearnedDesign<S extends OptionSchema> {
  readonly name: string;
  readonly source: string;
  readonly summary: string;
  readonly options: S;
  /** States kept for each parameter tensor, in words. */
  readonly statePerParameter: string;
  /** @throws RangeError for options that contradict each other. */
  rule(options: OptionsOf<S>): LearnedRule;
}

/** The registry entry of a learned optimizer. */
export function learned<S extends OptionSchema>(design: LearnedDesign<S>): LearnedEntry {
  const { name, source, summary, options, statePerParameter } = design;
  return {
    family: 'learned',
    name,
    source,
    summary,
    options,
    needs: [],
    statePerParameter,
    create: (given) => learnedOptimizer(design, given),
  };
}

function learnedOptimizer<S extends OptionSchema>(design: LearnedDesign<S>, given: GivenOptions): LearnedOptimizer {
  const { name } = design;
  const options = readOptions(design.options, given, { doing: `create ${name}` });
  const rule = design.rule(options);
  const numerics = numericValues(design.options, options);
  return {
    name,
    options,
    theta: rule.theta,
    initTheta: (key) => initTheta(rule.theta, key),
    importTheta: (published) => importTheta(name, rule.theta, published),
    exportTheta: (theta) => exportTheta(name, rule.theta, theta),
    optimizer(theta: Arrays): Optimizer {
      checkTheta(name, rule.theta, theta);
      const leaves = rule.theta.map(({ path }) => path);
      return {
        name,
        options,
        needs: numericNeeds(design.options, options),
        values: new Map([...inOrder(leaves, theta), ...numerics.arrays]),
        valueRoles: new Map<string, ValueRole>([...leaves.map((path) => [path, 'theta'] as const), ...numerics.roles]),
        classOf: (spec) => rule.classOf(spec),
        init: (input) => rule.init(input),
        update: (input) => rule.update(input),
      };
    },
  };
}

function inOrder(paths: readonly string[], arrays: Arrays): Arrays {
  return new Map(
    paths.flatMap((path) => {
      const array = arrays.get(path);
      return array === undefined ? [] : [[path, array] as const];
    }),
  );
}
