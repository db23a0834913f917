import {
  ArrayRun,
  type ArrayRunOptions,
  ArrayStepper,
  type Gradients,
  type StartOptions,
} from '../lopt/adapters/arrays.ts';
import type { ArrayRecord } from '../lopt/adapters/array-checks.ts';
import type { ByPath, ShapeOrSpec } from '../lopt/adapters/param-specs.ts';
import { readParamSpecs } from '../lopt/adapters/param-specs.ts';
import { type RunState, saveRunState } from '../lopt/adapters/run-state.ts';
import { readStep } from '../lopt/adapters/step-number.ts';
import { TfjsOptimizer, type TfjsOptions } from '../lopt/adapters/tfjs.ts';
import type { Arrays, Optimizer, ParamSpecs, Role } from '../lopt/optimizer.ts';
import { drawNoises } from '../tasks/noise.ts';
import { encodeCheckpoint, thetaTensors } from './checkpoint.ts';
import { type ExportedModels, exportOptimizer } from './export.ts';

/** One step as a function: what comes in is all there is. */
export interface UpdateOptions extends ArrayRunOptions, Gradients {
  readonly params: ByPath<Float32Array>;
  /** As the step before gave it. Default: the optimizer's start for these params. */
  readonly state?: RunState;
  /** Updates done before this one. Default: as the state says, else 0. */
  readonly step?: number | bigint;
}

export interface ExportShapes {
  /** Shape, or spec, of each parameter by path. Default: those that the optimizer was exported for, where it comes from such a file. */
  readonly shapes?: ByPath<ShapeOrSpec>;
  readonly roles?: ByPath<Role>;
  /** Whether numeric options must be given at each step; `exportOptimizer` says why. Default: false. */
  readonly requireValues?: boolean;
}

/** An optimizer ready to be used. `dispose` gives back what `update` compiled; runs and TensorFlow.js optimizers are disposed of by themselves. */
export class LoadedOptimizer {
  /** What it was loaded as. */
  readonly name: string;
  readonly optimizer: Optimizer;
  /** Leaves of theta by path; none for a hand-designed optimizer. */
  readonly theta: Arrays;
  /** The parameters for which it was exported, where it comes from such a file. */
  readonly specs: ParamSpecs | undefined;
  /** Where it comes from: recipe, seed, step. */
  readonly provenance: Readonly<Record<string, unknown>>;
  /** By engine, then by specs. */
  readonly #steppers = new Map<unknown, Map<string, ArrayStepper>>();

  constructor({
    name,
    optimizer,
    theta,
    specs,
    provenance = {},
  }: {
    readonly name: string;
    readonly optimizer: Optimizer;
    readonly theta: Arrays;
    readonly specs?: ParamSpecs;
    readonly provenance?: Readonly<Record<string, unknown>>;
  }) {
    this.name = name;
    this.optimizer = optimizer;
    this.theta = theta;
    this.specs = specs;
    this.provenance = provenance;
  }

  /**
   * Starts a run over plain Float32Arrays, or continues one.
   * @example
   * const run = learned.start({ params: { w }, shapes: { w: [3, 2] }, horizon: 2000 })
   * await run.update({ grads: { w: gradient }, loss })
   * @throws TypeError or RangeError naming the parameter or option that is wrong.
   */
  start(options: StartOptions): ArrayRun {
    return new ArrayRun(this.optimizer, { noise: drawNoises, ...options });
  }

  /**
   * One step as a pure function; programs are compiled once for each set of shapes.
   * @throws TypeError or RangeError naming what is wrong, as a step that is no whole number.
   */
  async update(
    options: UpdateOptions,
  ): Promise<{ readonly params: ArrayRecord; readonly weights: ArrayRecord; readonly state: RunState }> {
    const doing = `update ${this.optimizer.name}`;
    const step = options.step === undefined ? undefined : readStep(options.step, doing);
    const stepper = this.#stepper(options, doing);
    const run = stepper.readRun(options, doing);
    const at = step === undefined ? run : { ...run, step };
    const next = await stepper.step({ ...options, run: at, doing });
    return { params: next.params, weights: next.weights, state: saveRunState(next.run) };
  }

  /** The optimizer for TensorFlow.js: `minimize`, `applyGradients`, and tfjs-layers' `compile` and `fit`. */
  tfjs(options: TfjsOptions = {}): TfjsOptimizer {
    return new TfjsOptimizer(this.optimizer, { noise: drawNoises, ...options });
  }

  /** The optimizer as ONNX models for given shapes. @throws TypeError or RangeError, as `exportOptimizer`. */
  async export({ shapes, roles, requireValues = false }: ExportShapes = {}): Promise<ExportedModels> {
    const doing = `export ${this.optimizer.name}`;
    const given = shapes ?? this.specs;
    if (given === undefined)
      throw new RangeError(`Cannot ${doing}: expected the shapes of its parameters but got none`);
    const specs = readParamSpecs(given, { doing, ...(roles === undefined ? {} : { roles }) });
    return exportOptimizer({ optimizer: this.optimizer, specs, provenance: this.provenance, requireValues });
  }

  /**
   * Theta with the optimizer's name and options, as the bytes of a checkpoint.
   * @throws RangeError for an optimizer without theta.
   */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const { name, options } = this.optimizer;
    if (this.theta.size === 0)
      throw new RangeError(`Cannot save ${name}: it has no theta; its name and options are all there is`);
    return encodeCheckpoint({
      kind: 'theta',
      optimizer: { name, options },
      facts: { provenance: this.provenance },
      tensors: thetaTensors(this.theta),
    });
  }

  /** Gives back what `update` compiled. */
  async dispose(): Promise<void> {
    const engines = [...this.#steppers.values()];
    this.#steppers.clear();
    for (const bySpecs of engines) for (const { prepared } of bySpecs.values()) await prepared.dispose();
  }

  #stepper(options: UpdateOptions, doing: string): ArrayStepper {
    const { shapes, roles, engine } = options;
    const specs = readParamSpecs(shapes, { doing, ...(roles === undefined ? {} : { roles }) });
    const ownEngine = engine === undefined || typeof engine === 'string' || !('compile' in engine);
    const place = ownEngine ? JSON.stringify(engine) : engine;
    const bySpecs = this.#steppers.get(place) ?? new Map<string, ArrayStepper>();
    this.#steppers.set(place, bySpecs);
    const key = JSON.stringify([...specs.values()]);
    const stepper =
      bySpecs.get(key) ?? new ArrayStepper(this.optimizer, { noise: drawNoises, ...options, shapes: specs, doing });
    bySpecs.set(key, stepper);
    return stepper;
  }
}
