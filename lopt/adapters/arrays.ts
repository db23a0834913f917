/** The plain-array adapter: an optimizer that steps Float32Arrays, in any training loop. */
import type { Arrays, Optimizer, ParamSpecs, Role } from '../optimizer.ts';
import { type ArrayRecord, floats, hostArrays, readArrays, readLosses } from './array-checks.ts';
import type { EngineChoice } from './default-engine.ts';
import { type ByPath, type ShapeOrSpec, readParamSpecs } from './param-specs.ts';
import { readHorizon, refuseEvaluations } from './needs.ts';
import { type NoiseSource, PreparedOptimizer } from './prepared-optimizer.ts';
import { nonEmpty, usesInput } from './programs.ts';
import { type RunState, type SavedRun, readRunState, saveRunState } from './run-state.ts';
import { readStep } from './step-number.ts';

/** What an optimizer runs on. */
export interface ArrayRunOptions {
  /** Shape, or spec, of each parameter by path. */
  readonly shapes: ByPath<ShapeOrSpec>;
  /** What parameters are for, by path; where not said, an optimizer goes by rank. */
  readonly roles?: ByPath<Role>;
  /** Full length of the training run in steps. Needed by optimizers that use it; a state has it. */
  readonly horizon?: number;
  /** Default: onnx on the cpu in Node, else eager on the cpu. */
  readonly engine?: EngineChoice;
  /** Seed of the optimizer's own random numbers, which few have. Default 0. */
  readonly seed?: number | string;
  /** Draws them. */
  readonly noise?: NoiseSource;
}

export interface StartOptions extends ArrayRunOptions {
  /** Where the parameters start: Float32Arrays by path, row-major. They are copied. */
  readonly params: ByPath<Float32Array>;
  /** What `run.state` gave: the run continues from there. Default: a new run. */
  readonly state?: RunState;
}

/** What a step learns from the task. */
export interface Gradients {
  /** Gradients by path, like the parameters. Elements that aren't finite are used as they are. */
  readonly grads: ByPath<Float32Array>;
  /** Training loss at the current parameters; needed by optimizers that use it. NaN and infinity pass. */
  readonly loss?: number;
  /** Validation loss at the current parameters; needed by optimizers that use it. */
  readonly validLoss?: number;
}

/**
 * Starts a run of an optimizer over plain arrays, or continues one. Everything is checked and traced here; the program is compiled
 * once, by `ready` or the first update.
 * @throws TypeError or RangeError naming the parameter or option that is wrong.
 */
export function startRun(optimizer: Optimizer, options: StartOptions): ArrayRun {
  return new ArrayRun(optimizer, options);
}

/** A training run over plain arrays. Parameters without elements stay as they are. */
export class ArrayRun {
  readonly #stepper: ArrayStepper;
  #params: ArrayRecord;
  #weights: ArrayRecord;
  #run: SavedRun;
  #isUpdating = false;

  constructor(optimizer: Optimizer, options: StartOptions) {
    const doing = `start ${optimizer.name}`;
    this.#stepper = new ArrayStepper(optimizer, { ...options, doing });
    const params = readArrays(options.params, { doing, what: 'params', specs: this.#stepper.specs });
    this.#run = this.#stepper.readRun(options, doing);
    this.#params = Object.fromEntries([...params].map(([path, array]) => [path, Float32Array.from(array)]));
    this.#weights = this.#params;
  }

  /** The parameters now, by path: new arrays after each update. Changing their elements changes the run. */
  get params(): ArrayRecord {
    return this.#params;
  }

  /** What to evaluate and ship: the parameters, unless the optimizer averages them or the like. */
  get weights(): ArrayRecord {
    return this.#weights;
  }

  /** Updates done. */
  get step(): number {
    return this.#run.step;
  }

  /** All that `start` needs besides the parameters to continue to the same bits. Plain: JSON keeps it. Made when asked for. */
  get state(): RunState {
    return saveRunState(this.#run);
  }

  /** Loads the engine and compiles, which the first update does otherwise. */
  async ready(): Promise<void> {
    await this.#stepper.prepared.ready();
  }

  /**
   * One step. The arrays given stay as they are and may be changed at once.
   * @throws TypeError or RangeError naming what is wrong; Error when the previous update is still running. The run is then as before.
   */
  async update(gradients: Gradients): Promise<void> {
    const doing = `update ${this.#run.optimizer}`;
    if (this.#isUpdating)
      throw new Error(`Cannot ${doing}: the update before is still running. Await it first: await run.update(...)`);
    this.#isUpdating = true;
    try {
      const next = await this.#stepper.step({ ...gradients, params: this.#params, run: this.#run, doing });
      this.#params = next.params;
      this.#weights = next.weights;
      this.#run = next.run;
    } finally {
      this.#isUpdating = false;
    }
  }

  /** Gives back what the engine holds, and the engine unless it was passed in. Parameters and state stay readable. */
  async dispose(): Promise<void> {
    await this.#stepper.prepared.dispose();
  }
}

/** Steps over plain arrays of given shapes, without a run of its own: what comes in is all there is. */
export class ArrayStepper {
  readonly prepared: PreparedOptimizer;
  /** Of all parameters; those of the prepared optimizer have elements. */
  readonly specs: ParamSpecs;
  readonly #usesHorizon: boolean;

  /** @throws TypeError or RangeError for shapes, roles or an optimizer that plain arrays can't serve. */
  constructor(
    optimizer: Optimizer,
    { shapes, roles, engine, noise, doing }: ArrayRunOptions & { readonly doing: string },
  ) {
    refuseEvaluations(optimizer, doing);
    this.specs = readParamSpecs(shapes, { doing, ...(roles === undefined ? {} : { roles }) });
    this.prepared = new PreparedOptimizer(optimizer, nonEmpty(this.specs), { engine, noise });
    const { init, update } = this.prepared;
    this.#usesHorizon = usesInput(init, 'horizon') || usesInput(update, 'horizon');
  }

  /** Where a run stands: what a saved state says, else its start. @throws TypeError or RangeError naming what is wrong. */
  readRun(
    {
      state,
      horizon,
      seed = 0,
    }: { readonly state?: unknown; readonly horizon?: unknown; readonly seed?: number | string },
    doing: string,
  ): SavedRun {
    const optimizer = this.prepared.optimizer.name;
    const saved =
      state === undefined
        ? { optimizer, step: 0, horizon: null, seed, tensors: null }
        : readRunState(state, { optimizer, types: this.prepared.stateTypes, doing });
    if (horizon === undefined && (saved.horizon !== null || !this.#usesHorizon)) return saved;
    const given = readHorizon(horizon, { name: optimizer, doing });
    if (saved.horizon !== null && saved.horizon !== given)
      throw new RangeError(
        `Cannot ${doing}: expected horizon to be ${saved.horizon}, as in the state, but got ${given}. Leave it out, or change it in the state`,
      );
    return { ...saved, horizon: given };
  }

  /** One step from `params` and `run`; neither is changed. @throws TypeError or RangeError naming what is wrong. */
  async step({
    params,
    grads,
    loss,
    validLoss,
    run,
    doing,
  }: Gradients & { readonly params: ByPath<Float32Array>; readonly run: SavedRun; readonly doing: string }): Promise<{
    readonly params: ArrayRecord;
    readonly weights: ArrayRecord;
    readonly run: SavedRun;
  }> {
    const { prepared, specs } = this;
    const old = readArrays(params, { doing, what: 'params', specs });
    const gradients = readArrays(grads, { doing, what: 'grads', specs });
    const losses = readLosses({ loss, validLoss }, { needs: prepared.optimizer.needs, doing });
    const step = readStep(run.step, doing);
    const next = await prepared.step({
      params: hostArrays(prepared.specs, old),
      grads: hostArrays(prepared.specs, gradients),
      losses,
      state: run.tensors,
      step,
      horizon: run.horizon ?? 1,
      seed: run.seed,
    });
    const empty = [...specs.keys()]
      .filter((path) => !prepared.specs.has(path))
      .map((path) => [path, new Float32Array(0)]);
    const record = (arrays: Arrays): ArrayRecord => Object.fromEntries([...empty, ...floats(arrays)]);
    return {
      params: record(next.params),
      weights: record(next.weights),
      run: { ...run, step: step + 1, tensors: next.state },
    };
  }
}
