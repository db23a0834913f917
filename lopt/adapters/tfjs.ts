/**
 * The TensorFlow.js adapter: an optimizer as a `tf.Optimizer`, for `minimize`, `applyGradients` and tfjs-layers' `compile` and `fit`. It
 * runs at once, on whichever backend is active.
 *
 * Each variable has a step count of its own, which starts when it is first used: a layer that is frozen for a while continues where it
 * stopped. Where variables of different counts are updated together, the rule is evaluated once for each count, with all of them
 * taking part (norms over all gradients stay right); state that belongs to no variable follows the highest count. A variable without a
 * gradient takes no step and no decay. A row of an embedding whose gradient is zero is treated as any other: nothing is lazy.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensorMap, Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import { sameShape, sizeOf } from '../../jit/graph/graph.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import type { Optimizer, ParamSpec, ParamSpecs, Tensors } from '../optimizer.ts';
import { readHorizon, refuseEvaluations } from './needs.ts';
import type { NoiseSource } from './prepared-optimizer.ts';
import { noiseOf, usesHorizon } from './programs.ts';
import {
  type NamedTensor,
  type SavedSlot,
  type Slot,
  checkSaved,
  decodeSlots,
  encodeSlots,
  splitState,
} from './tfjs-slots.ts';

/** What an optimizer may be told of a variable. Default: its name is its path. */
export type VariableFacts = Partial<Omit<ParamSpec, 'shape' | 'dtype'>>;

export interface TfjsOptions {
  /** Number of steps of the whole training. Needed by optimizers that use it. */
  readonly horizon?: number;
  /** Path, role and so on of a variable. Paths must differ. */
  readonly describe?: (variable: { readonly name: string; readonly shape: readonly number[] }) => VariableFacts;
  /** Seed of the optimizer's own random numbers, which few have. Default 0. */
  readonly seed?: number | string;
  /** Draws them. */
  readonly noise?: NoiseSource;
}

interface Gradient {
  readonly variable: Variable;
  readonly gradient: Tensor;
}

interface Step {
  readonly values: Tensors;
  readonly params: Tensors;
  readonly grads: Tensors;
  readonly specs: ParamSpecs;
  readonly horizon: Tensor;
  readonly loss?: Tensor;
}

/** An optimizer as TensorFlow.js has them. `dispose` gives back all that it holds. */
export class TfjsOptimizer extends tf.Optimizer {
  static readonly className = 'LoptOptimizer';
  readonly #optimizer: Optimizer;
  readonly #options: TfjsOptions;
  readonly #specs = new Map<Variable, ParamSpec>();
  /** In order of first use. */
  readonly #slots = new Map<Variable, Slot>();
  #shared: ReadonlyMap<string, Tensor> = new Map();
  #values: Tensors | undefined;
  /** Restored slots whose variables haven't been used yet. */
  #saved: readonly SavedSlot[] = [];

  /** @throws TypeError or RangeError for an optimizer that can't be used here, or a horizon that is wrong or missing. */
  constructor(optimizer: Optimizer, options: TfjsOptions = {}) {
    super();
    const doing = `use ${optimizer.name} with TensorFlow.js`;
    refuseEvaluations(optimizer, doing);
    if (optimizer.needs.includes('validLoss'))
      throw new TypeError(`Cannot ${doing}: it needs a validation loss, which minimize doesn't have`);
    if (options.noise === undefined && optimizer.needs.some((need) => typeof need === 'object'))
      throw new TypeError(`Cannot ${doing}: it draws random numbers, so expected option noise but got none`);
    if (options.horizon !== undefined || usesHorizon(optimizer))
      readHorizon(options.horizon, { name: optimizer.name, doing });
    this.#optimizer = optimizer;
    this.#options = options;
  }

  /** As in TensorFlow.js: computes the loss and its gradients, and takes a step. */
  override minimize(f: () => Scalar, returnCost = false, varList?: Variable[]): Scalar | null {
    const { value, grads } = this.computeGradients(f, varList);
    try {
      this.#apply(grads, value);
    } catch (error) {
      value.dispose();
      throw error;
    } finally {
      tf.dispose(grads);
    }
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  /** As in TensorFlow.js. @throws TypeError for a variable that isn't float32. */
  override computeGradients(f: () => Scalar, varList?: Variable[]): { value: Scalar; grads: NamedTensorMap } {
    for (const variable of varList ?? []) this.#checkDtype(variable);
    try {
      return super.computeGradients(f, varList);
    } catch (error) {
      disposeTape();
      throw error;
    }
  }

  /**
   * As in TensorFlow.js: a step by gradients of variables by name; those without one stay. `loss` is the loss at the variables' values, a
   * scalar, for optimizers that use it.
   * @throws TypeError or RangeError naming the variable; then nothing has moved.
   */
  override applyGradients(gradients: NamedTensorMap | NamedTensor[], loss?: Scalar): void {
    const named = Array.isArray(gradients)
      ? Object.fromEntries(gradients.map(({ name, tensor }) => [name, tensor]))
      : gradients;
    this.#apply(named, loss);
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { name, options } = this.#optimizer;
    // One boundary: options are JSON, which is what a ConfigDict is.
    return JSON.parse(JSON.stringify({ name, options, horizon: this.#options.horizon })) as tf.serialization.ConfigDict;
  }

  /** State as named tensors, by order of first use of the variables (tfjs-slots.ts says how). The optimizer keeps them: don't dispose of the states. */
  override async getWeights(): Promise<NamedTensor[]> {
    const slots = [...this.#slots].map(([{ shape }, { step, states }]) => ({ shape, step, states }));
    const all = [...slots, ...this.#saved.slice(slots.length)];
    return encodeSlots({ iterations: this.iterations, slots: all, shared: this.#shared });
  }

  /**
   * Continues from what `getWeights` gave, here or in another process: the variables take it up in order of first use.
   * @throws RangeError when these weights are of another optimizer or another model; of a variable not used yet, at its first step.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const { slots, shared } = await decodeSlots(weights);
    const used = [...this.#slots].slice(0, slots.length);
    used.forEach(([variable, { states: expected }], index) => {
      const saved = slots[index];
      if (saved !== undefined) checkSaved(saved, { variable, index, expected });
    });
    const copies = slots.map(({ step, shape, states }) => ({ step, shape, states: kept(states) }));
    const sharedCopies = kept(shared);
    this.#release();
    this.#saved = copies;
    this.#shared = sharedCopies;
    used.forEach(([variable], index) => {
      const saved = copies[index];
      if (saved !== undefined) this.#slots.set(variable, saved);
    });
    await this.extractIterations(weights.filter(({ name }) => name === 'iter'));
  }

  /** What to evaluate and ship, by variable name: copies of the variables, unless the optimizer averages them or the like. The caller disposes of them. */
  weights(): NamedTensorMap {
    return tf.tidy(() => {
      const variables = [...this.#slots.keys()];
      const { specs, params } = this.#described(variables);
      const state = this.#state(variables);
      const named = this.#optimizer.weights?.({ values: this.#valueTensors(), params, state, specs }) ?? params;
      return Object.fromEntries(
        variables.map((variable) => [variable.name, tf.clone(named.get(this.#spec(variable).path) ?? variable)]),
      );
    });
  }

  override dispose(): void {
    this.#release();
    for (const tensor of this.#values?.values() ?? []) tensor.dispose();
    this.#values = undefined;
    super.dispose();
  }

  #apply(named: Readonly<Record<string, Tensor | null | undefined>>, loss?: Tensor): void {
    if (loss === undefined && this.#optimizer.needs.includes('loss'))
      throw new TypeError(
        `Cannot apply gradients with ${this.#optimizer.name}: it uses the loss, so expected minimize, or the loss as second argument, but got none`,
      );
    const gradients = Object.entries(named).flatMap(([name, gradient]) => {
      const read = gradient === null || gradient === undefined ? undefined : this.#read(name, gradient);
      return read === undefined ? [] : [read];
    });
    if (gradients.length > 0) tf.tidy(() => this.#advance(gradients, loss));
    this.incrementIterations();
  }

  #read(name: string, gradient: Tensor): Gradient | undefined {
    const variable = tf.engine().registeredVariables[name];
    if (variable === undefined)
      throw new RangeError(`Cannot apply gradients: expected the names of variables but got ${name}, which is none`);
    this.#checkDtype(variable);
    if (!sameShape(gradient.shape, variable.shape))
      throw new RangeError(
        `Cannot apply gradients: expected the gradient of ${name} to have shape [${variable.shape.join(',')}] but got [${gradient.shape.join(',')}]`,
      );
    return sizeOf(variable.shape) === 0 ? undefined : { variable, gradient };
  }

  #checkDtype({ name, dtype }: Variable): void {
    if (dtype !== 'float32')
      throw new TypeError(
        `Cannot update variable ${name}: expected float32 but got ${dtype}. Leave it out of varList, or make it with trainable false`,
      );
  }

  #advance(gradients: readonly Gradient[], loss: Tensor | undefined): void {
    const given = new Map(gradients.map(({ variable, gradient }) => [variable, gradient]));
    this.#open([...given.keys()]);
    // In order of first use, whatever the order of this call.
    const variables = [...this.#slots.keys()].filter((variable) => given.has(variable));
    const { specs, params } = this.#described(variables);
    const grads = new Map(variables.map((variable) => [this.#spec(variable).path, given.get(variable) ?? variable]));
    const input: Step = {
      values: this.#valueTensors(),
      params,
      grads,
      specs,
      horizon: this.#horizon(),
      ...(loss === undefined ? {} : { loss: tf.cast(loss, 'float32') }),
    };
    const counts = [...new Set(variables.map((variable) => this.#slots.get(variable)?.step ?? 0))].sort(
      (a, b) => a - b,
    );
    const state = this.#state(variables);
    const results = new Map(counts.map((count) => [count, this.#rule(input, state, count)]));

    const moves = variables.map((variable) => {
      const { path } = this.#spec(variable);
      const { step, states } = this.#slots.get(variable) ?? { step: 0, states: new Map<string, Tensor>() };
      const result = results.get(step);
      const next = result?.params.get(path);
      if (next === undefined || !sameShape(next.shape, variable.shape))
        throw new RangeError(
          `Cannot update: expected ${this.#optimizer.name} to give parameter ${path} the shape [${variable.shape.join(',')}] but got ${next === undefined ? 'none' : `[${next.shape.join(',')}]`}`,
        );
      return { variable, step, states, next, nextStates: result?.own.get(path) };
    });

    // All is computed and checked: nothing moves before this line, everything after it.
    for (const { variable, step, states, next, nextStates } of moves) {
      this.#slots.set(variable, { step: step + 1, states: replaced(states, nextStates) });
      if (next !== variable) variable.assign(next);
    }
    this.#shared = replaced(this.#shared, results.get(counts.at(-1) ?? 0)?.shared);
  }

  #rule(input: Step, state: Tensors, step: number): { params: Tensors } & ReturnType<typeof splitState> {
    const next = this.#optimizer.update({
      ...input,
      state,
      step: tf.scalar(step, 'int32'),
      noise: this.#draw('update', input.specs),
    });
    return { params: next.params, ...splitState(next.state, input.specs) };
  }

  /** Gives slots to variables that have none: what was saved for them, else their start. */
  #open(variables: readonly Variable[]): void {
    const fresh = variables.filter((variable) => !this.#slots.has(variable));
    if (fresh.length === 0) return;
    for (const variable of fresh) this.#describe(variable);
    const { specs, params } = this.#described(fresh);
    const input = {
      values: this.#valueTensors(),
      params,
      specs,
      horizon: this.#horizon(),
      noise: this.#draw('init', specs),
    };
    const start = splitState(this.#optimizer.init(input), specs);
    const slots = fresh.map((variable, offset) => {
      const index = this.#slots.size + offset;
      const states = start.own.get(this.#spec(variable).path) ?? new Map<string, Tensor>();
      const saved = this.#saved[index];
      if (saved !== undefined) checkSaved(saved, { variable, index, expected: states });
      return { variable, states, saved };
    });
    for (const { variable, states, saved } of slots)
      this.#slots.set(variable, saved ?? { step: 0, states: kept(states) });
    if (this.#shared.size === 0) this.#shared = kept(start.shared);
  }

  #describe(variable: Variable): ParamSpec {
    const { name, shape } = variable;
    const facts = this.#options.describe?.({ name, shape }) ?? {};
    const spec: ParamSpec = { ...facts, path: facts.path ?? name, shape, dtype: 'float32' };
    for (const [other, { path }] of this.#specs)
      if (other !== variable && path === spec.path)
        throw new RangeError(
          `Cannot update: expected variables to have different paths but ${other.name} and ${name} are both ${path}`,
        );
    this.#specs.set(variable, spec);
    return spec;
  }

  #spec(variable: Variable): ParamSpec {
    return this.#specs.get(variable) ?? this.#describe(variable);
  }

  #described(variables: readonly Variable[]): { readonly specs: ParamSpecs; readonly params: Tensors } {
    const specs = variables.map((variable) => [variable, this.#spec(variable)] as const);
    return {
      specs: new Map(specs.map(([, spec]) => [spec.path, spec])),
      params: new Map(specs.map(([variable, { path }]) => [path, variable])),
    };
  }

  #state(variables: readonly Variable[]): Tensors {
    const own = variables.flatMap((variable) =>
      [...(this.#slots.get(variable)?.states ?? [])].map(
        ([name, tensor]) => [`${name}/${this.#spec(variable).path}`, tensor] as const,
      ),
    );
    return new Map([...own, ...this.#shared]);
  }

  #valueTensors(): Tensors {
    this.#values ??= new Map(
      [...this.#optimizer.values].map(([name, { data, shape, dtype }]) => [
        name,
        tf.keep(tf.tensor(data.slice(), [...shape], dtype)),
      ]),
    );
    return this.#values;
  }

  #horizon(): Tensor {
    return tf.scalar(this.#options.horizon ?? 1);
  }

  #draw(purpose: 'init' | 'update', specs: ParamSpecs): Tensors {
    const noise = noiseOf(this.#optimizer, purpose);
    if (noise.size === 0) return new Map();
    const key = fold(rootKey(this.#options.seed ?? 0), purpose, this.iterations);
    const arrays = this.#options.noise?.(noise, key, specs) ?? new Map();
    return new Map([...arrays].map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]));
  }

  #release(): void {
    for (const { states } of this.#slots.values()) for (const tensor of states.values()) tensor.dispose();
    for (const { states } of this.#saved.slice(this.#slots.size))
      for (const tensor of states.values()) tensor.dispose();
    for (const tensor of this.#shared.values()) tensor.dispose();
    this.#slots.clear();
    this.#saved = [];
    this.#shared = new Map();
  }
}

/**
 * Disposes of what TensorFlow.js kept for a backward pass that never came, because the loss threw: it forgets these tensors without
 * disposing of them. One boundary: the engine's state is public and typed, but undocumented.
 */
function disposeTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0) return;
  for (const { saved } of state.activeTape ?? []) for (const tensor of saved ?? []) tensor?.dispose();
  state.activeTape = [];
}

/** Copies that outlive the tidy (the data itself is shared until one changes). */
function kept(tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, tf.keep(tf.clone(tensor))]));
}

/** Keeps the next tensors and disposes of the old ones. */
function replaced(
  old: ReadonlyMap<string, Tensor>,
  next: ReadonlyMap<string, Tensor> = new Map(),
): ReadonlyMap<string, Tensor> {
  const tensors = kept(next);
  for (const tensor of old.values()) tensor.dispose();
  return tensors;
}
