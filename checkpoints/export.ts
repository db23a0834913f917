/**
 * Export: an optimizer for given parameter shapes as an ONNX model that any ONNX Runtime can apply with no code of ours. docs/export.md
 * says what its inputs, outputs and metadata are.
 */
import { type Graph, type HostArray, sizeOf } from '../jit/graph/graph.ts';
import { inlineCalls } from '../jit/transform/inline-calls.ts';
import { simplify } from '../jit/transform/simplify.ts';
import { refuseEvaluations } from '../lopt/adapters/needs.ts';
import { outputTypes, traceInit, traceUpdate } from '../lopt/adapters/programs.ts';
import type { Optimizer, ParamSpecs, ValueRole } from '../lopt/optimizer.ts';
import { EXPORT_FORMAT, EXPORT_VERSION, type ExportedFacts, exportedMetadata } from './exported-metadata.ts';
import { toJson } from './json-numbers.ts';
import { stateStarts } from './state-starts.ts';

export interface ExportOptions {
  readonly optimizer: Optimizer;
  readonly specs: ParamSpecs;
  /** Where it comes from, as JSON: recipe, seed, step. No times, machines, engines or thread counts, so that the same theta gives the same bytes. */
  readonly provenance?: Readonly<Record<string, unknown>>;
  /**
   * Whether numeric options have no default and must be given at each step: for onnxruntime-node, which ignores what is given for an
   * input that has a default, and onnxruntime-web, which refuses it. Default: false.
   */
  readonly requireValues?: boolean;
}

export interface ExportedModels {
  /** One step. */
  readonly update: Uint8Array;
  /** Computes the states that don't start as zeros, another constant or a copy; absent where all do. */
  readonly init?: Uint8Array;
}

/** Inputs that a model has whether or not the optimizer uses them. */
const ALWAYS = /^(params|grads|state)\//;

/**
 * Exports an optimizer. The same optimizer, specs and provenance give the same bytes.
 * @throws TypeError for an optimizer that needs evaluations of its own; RangeError for parameters without elements, or none.
 */
export async function exportOptimizer(options: ExportOptions): Promise<ExportedModels> {
  const { optimizer, specs, provenance = {}, requireValues = false } = options;
  const doing = `export ${optimizer.name}`;
  refuseEvaluations(optimizer, doing);
  if (specs.size === 0) throw new RangeError(`Cannot ${doing}: expected parameters but got none`);
  for (const [path, { shape }] of specs)
    if (sizeOf(shape) === 0)
      throw new RangeError(
        `Cannot ${doing}: expected every parameter to have elements but ${path} has shape [${shape.join(',')}]. Leave it out`,
      );
  // Loaded when needed: it brings the ONNX format's protocol buffers.
  const { emitOnnx, usedInputs } = await import('../jit/engines/onnx/emit.ts');

  const init = withThetaNames(optimizer, traceInit(optimizer, specs));
  const stateTypes = outputTypes(init, 'state');
  const update = withThetaNames(optimizer, simplify(inlineCalls(traceUpdate(optimizer, specs, stateTypes))));
  const used = usedInputs(update);
  const values = valueInputs(optimizer);
  const starts = stateStarts(init);
  const pick = (role: ValueRole, uses: readonly boolean[]) =>
    new Map(
      values
        .filter((value) => value.role === role && uses.includes(used.has(value.input)))
        .map(({ name, array }) => [name, array]),
    );

  const facts: ExportedFacts = {
    optimizer: { name: optimizer.name, options: optimizer.options },
    params: [...specs.values()],
    states: [...stateTypes].map(([name, { shape, dtype }]) => ({
      name,
      shape,
      dtype,
      start: starts.get(`state/${name}`) ?? 'init',
    })),
    values: { free: pick('free', [true]), fixed: pick('fixed', [true, false]) },
    theta: pick('theta', [true, false]),
    unusedTheta: pick('theta', [false]),
    provenance,
  };
  const models: ExportedModels = {
    update: emitOnnx(
      keepInputs(update, (name) => ALWAYS.test(name) || used.has(name)),
      {
        ...initializersOf(values, used, requireValues),
        int64Inputs: new Set(['step'].filter((name) => used.has(name))),
        metadata: await exportedMetadata(facts),
      },
    ),
  };
  const computed = init.outputs.filter(({ name }) => starts.get(name) === 'init');
  if (computed.length === 0) return models;
  const start = simplify(inlineCalls({ ...init, outputs: computed }));
  const startUsed = usedInputs(start);
  const initModel = emitOnnx(
    keepInputs(start, (name) => startUsed.has(name)),
    {
      ...initializersOf(values, startUsed, requireValues),
      metadata: new Map([
        ['format', EXPORT_FORMAT],
        ['version', EXPORT_VERSION],
        ['initOf', toJson({ name: optimizer.name, options: optimizer.options })],
      ]),
    },
  );
  return { ...models, init: initModel };
}

interface ValueInput {
  /** Name of the optimizer's value. */
  readonly name: string;
  /** Name of the model's input or initializer: `theta/<name>` or `values/<name>`. */
  readonly input: string;
  readonly role: ValueRole;
  readonly array: HostArray;
}

function valueInputs({ values, valueRoles }: Optimizer): readonly ValueInput[] {
  return [...values].map(([name, array]) => {
    const role = valueRoles.get(name) ?? 'fixed';
    return { name, role, array, input: role === 'theta' ? `theta/${name}` : `values/${name}` };
  });
}

/** Theta's leaves are called `theta/<leaf>` in a model. */
function withThetaNames(optimizer: Optimizer, graph: Graph): Graph {
  const names = new Map(valueInputs(optimizer).map(({ name, input }) => [`values/${name}`, input]));
  return { ...graph, inputs: graph.inputs.map(({ name, value }) => ({ name: names.get(name) ?? name, value })) };
}

function keepInputs(graph: Graph, isKept: (name: string) => boolean): Graph {
  return { ...graph, inputs: graph.inputs.filter(({ name }) => isKept(name)) };
}

/** Theta and fixed options are initializers; options that the caller may give anew are inputs with a default. */
function initializersOf(
  values: readonly ValueInput[],
  used: ReadonlySet<string>,
  requireValues: boolean,
): { readonly initializers: ReadonlyMap<string, HostArray>; readonly defaults: ReadonlyMap<string, HostArray> } {
  const inModel = values.filter(({ input }) => used.has(input));
  const named = (isFree: boolean) =>
    new Map(inModel.filter(({ role }) => (role === 'free') === isFree).map(({ input, array }) => [input, array]));
  return { initializers: named(false), defaults: requireValues ? new Map() : named(true) };
}
