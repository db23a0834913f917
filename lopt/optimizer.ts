import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostArray } from '../jit/graph/graph.ts';
import type { Group } from '../jit/trace/structure.ts';
import type { Key } from '../jit/random/key.ts';

/** Tensors by path, in a fixed order. */
export type Tensors = Group<Tensor>;

/** Host arrays by path, in a fixed order. */
export type Arrays = Group<HostArray>;

export const ROLES = ['input', 'hidden', 'output', 'bias', 'norm', 'embedding'] as const;
/** What a parameter is for in its network. */
export type Role = (typeof ROLES)[number];

/** What is known of one parameter tensor. */
export interface ParamSpec {
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32';
  readonly role?: Role;
  readonly fanIn?: number;
  readonly fanOut?: number;
  /** Fan-in of the same tensor in the base model, for relative muP multipliers. */
  readonly baseFanIn?: number;
  /** muP's learning-rate multiplier; where absent, it follows from role and fan-in. */
  readonly lrMult?: number;
}

/** Parameter specs by path, in the order of the parameters. */
export type ParamSpecs = Group<ParamSpec>;

/** The facts on which a rule may branch. Tensors of equal shape and equal `key` run as one call. */
export interface TensorClass {
  readonly key: string;
}

/** Random numbers that an optimizer or a task asks the caller for. */
export interface NoiseSpec {
  readonly kind: 'normal' | 'truncatedNormal' | 'rademacher' | 'uniform';
  /** Shape, or `params`: one tensor like each parameter, named `<name>/<path>`. */
  readonly shape: readonly number[] | 'params';
}

/** What an optimizer needs beyond gradients. */
export type Need =
  | 'loss'
  | 'validLoss'
  | 'horizon'
  | 'lossAt'
  | 'gradientAt'
  | 'hvp'
  | 'activations'
  | 'microGradients'
  | { readonly noise: NoiseSpec; readonly name: string; readonly for: 'init' | 'update' };

export interface InitInput {
  /** Theta and numeric options. */
  readonly values: Tensors;
  readonly params: Tensors;
  readonly specs: ParamSpecs;
  /** Full length of the trajectory in inner steps, float32 scalar. */
  readonly horizon: Tensor;
  readonly noise?: Tensors;
}

export interface UpdateInput extends InitInput {
  readonly grads: Tensors;
  readonly state: Tensors;
  /** Number of updates done before this one, int32 scalar. */
  readonly step: Tensor;
  /** Training loss at `params`, float32 scalar; there when the optimizer needs it. */
  readonly loss?: Tensor;
  readonly validLoss?: Tensor;
}

/**
 * What a value of an optimizer is. `theta`: a leaf of a learned optimizer. `free`: a numeric option that may be changed by itself, run
 * by run (the learning rate). `fixed`: an option from which others are folded, or such a folded number: they change together or not at all.
 */
export type ValueRole = 'theta' | 'free' | 'fixed';

/**
 * An optimizer as pure functions of tensors. `init`, `update` and `weights` are traced: plain TensorFlow.js, every parameter
 * tensor through `mapTensors`. State that belongs to a parameter is named `<name>/<path>`, the rest `<name>`.
 */
export interface Optimizer {
  /** Name in the registry. */
  readonly name: string;
  /** Every option as read, defaults filled in: what the config and an exported file say of it. JSON. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly needs: readonly Need[];
  /**
   * Theta (under its own leaf names) and every numeric option, folded ones included (`lr`, `beta1`, `beta1/log`, `lr/initial` of a
   * schedule; a wrapper's base's are under `base/`): inputs of each program, never constants. A caller may pass others of the same
   * types to `init` and `update`; `valueRoles` says which may be changed one by one.
   */
  readonly values: Arrays;
  /** What each value is; same names as `values`. */
  readonly valueRoles: Group<ValueRole>;
  classOf(spec: ParamSpec): TensorClass;
  init(input: InitInput): Tensors;
  update(input: UpdateInput): { readonly params: Tensors; readonly state: Tensors };
  /** What to evaluate and ship where that isn't params (schedule-free, averaging). */
  weights?(input: {
    readonly values: Tensors;
    readonly params: Tensors;
    readonly state: Tensors;
    readonly specs: ParamSpecs;
  }): Tensors;
}

/** One leaf of theta. */
export interface ThetaLeaf {
  /** Our readable name, unique in its theta: `layer0/kernel`. */
  readonly path: string;
  readonly shape: readonly number[];
  /** Initial distribution: `scale` times a truncated normal (in [-2, 2], no variance correction), or zeros. */
  readonly init: { readonly kind: 'truncatedNormal'; readonly scale: number } | { readonly kind: 'zeros' };
  /** Name of this leaf in the published file, parts joined by ' | '; the leaf there may have extra axes of extent 1. */
  readonly published: string;
}

/** An optimizer whose rule is a network with meta-parameters theta. */
export interface LearnedOptimizer {
  /** Name in the registry. */
  readonly name: string;
  /** Every option as read, defaults filled in. JSON. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Leaves in a fixed order. Those that the rule never uses (dead in the published nets) are there too. */
  readonly theta: readonly ThetaLeaf[];
  /** A random theta, a pure function of the key. */
  initTheta(key: Key): Arrays;
  /** Theta from a published tree (flat paths joined by ' | '). @throws RangeError listing missing, unexpected and mis-shaped leaves. */
  importTheta(published: Arrays): Arrays;
  /** Theta as the published tree: the inverse of `importTheta`. */
  exportTheta(theta: Arrays): Arrays;
  /** The optimizer with this theta among its values. @throws RangeError listing missing, unexpected and mis-shaped leaves. */
  optimizer(theta: Arrays): Optimizer;
}
