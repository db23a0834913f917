import * as tf from '@tensorflow/tfjs-core';
import { type DType, type HostArray, type TypedArray, type ValueId, allocate, typeText } from '../graph/graph.ts';
import { engineInternals, isWithin } from './engine-internals.ts';
import type { KernelAttributes, KernelInputs, KernelRule } from './lowering/kernel-rule.ts';
import { LOWERING } from './lowering.ts';
import { here, placeText, refuse } from './place.ts';
import { TRACE_BACKEND, asDType, infoOf, record, recording, unknownKernel, valueOf, withPlace } from './recording.ts';
import { TraceError } from './trace-error.ts';

/** Whether an array with values may become a constant of the trace: while `constant` makes one. */
let takesConstants = false;

/** Makes tensors from values, which then become constants of the running trace. */
export function makingConstants<R>(make: () => R): R {
  const before = takesConstants;
  takesConstants = true;
  try {
    return make();
  } finally {
    takesConstants = before;
  }
}

/** A TensorFlow.js backend whose tensors have shapes and no values: what runs on it becomes the running trace's graph. */
class TraceBackend extends tf.KernelBackend {
  #keepsData = false;

  /** Arrays made while tracing: one number, or one number repeated, is a constant; others would be frozen into the graph unseen. */
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const array = hostArray(values, { shape, dtype: asDType(dtype) });
    if (array.data.length > 1 && !takesConstants)
      refuse({
        call: 'a tensor',
        expected: 'no array of numbers made while tracing',
        got: `a ${typeText(array)}`,
        wayOut: 'pass it in as an input, or write constant([...])',
      });
    const [value] = record('constant', array, []);
    return infoOf(value ?? 0).dataId;
  }

  override readSync(): never {
    return refuseReading();
  }

  override read(): never {
    return refuseReading();
  }

  /** TensorFlow.js counts references for variables alone. The variable goes, the tensor of which it was made stays. */
  override incRef(dataId: object): never {
    this.#keepsData = true;
    for (const variable of Object.values(engineInternals().registeredVariables))
      if (variable.dataId === dataId) variable.dispose();
    this.#keepsData = false;
    return refuse({
      call: 'tf.variable',
      expected: 'no variable made while tracing',
      got: 'one',
      wayOut: 'take state in as an input and give the next one as an output',
    });
  }

  override disposeData(): boolean {
    return !this.#keepsData;
  }

  override numDataIds(): number {
    return 0;
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: true, reasons: ['traced tensors have no memory'] };
  }

  override dispose(): void {}
}

function refuseReading(): never {
  return refuse({
    call: 'a tensor',
    expected: 'no value to be read',
    got: 'a tensor whose value is not known while tracing',
    wayOut: 'branch with tf.where or cond, loop with scan or repeat',
  });
}

/** Values as an array of their dtype, one element where all are the same. */
function hostArray(
  values: tf.BackendValues,
  { shape, dtype }: { readonly shape: readonly number[]; readonly dtype: DType },
): HostArray {
  const given = values as TypedArray | readonly number[];
  const [first] = given;
  const isSplat = first !== undefined && given.every((each: number) => Object.is(each, first));
  const data = allocate(dtype, isSplat ? 1 : given.length);
  data.set(isSplat ? [first] : given);
  return { shape: [...shape], dtype, data };
}

/** Functions of TensorFlow.js whose own derivative is that of what they compute. */
const PLAIN_CUSTOM_GRADIENTS: ReadonlySet<string> = new Set([
  'logSigmoid',
  'logSoftmax',
  'softmaxCrossEntropy',
  'softmaxCrossEntropyWithLogits',
]);

/** Traced code doesn't differentiate by TensorFlow.js's tape, which would neither see nor be seen by the graph's own gradients. */
function refuseTape(): void {
  const { gradientDepth, kernelDepth } = engineInternals().state;
  if (gradientDepth > recording().gradientDepth)
    refuse({
      call: 'tf.grads',
      expected: 'gradients by valueAndGradient or hvp',
      got: 'a gradient of TensorFlow.js',
      wayOut: 'write valueAndGradient(f, params), which differentiates the graph',
    });
  // A kernel runs at depth 1, inside of tf.customGrad deeper.
  if (kernelDepth > 1 && !isWithin(PLAIN_CUSTOM_GRADIENTS))
    refuse({
      call: 'tf.customGrad',
      expected: 'derivatives by customGradient',
      got: 'tf.customGrad, whose derivative a graph would not know',
      wayOut: 'write customGradient(forward, backward)',
    });
}

function inputsOf(kernel: string, inputs: tf.NamedTensorInfoMap | readonly tf.TensorInfo[]): KernelInputs {
  const values = new Map<string, ValueId>();
  for (const [name, tensor] of Object.entries(inputs) as [string, tf.TensorInfo | null | undefined][])
    if (tensor !== null && tensor !== undefined) values.set(name, valueOf(tensor, kernel));
  return {
    list: [...values.values()],
    maybe: (name) => values.get(name),
    of: (name) => {
      const value = values.get(name);
      if (value === undefined)
        throw new RangeError(`Cannot apply ${kernel}: expected an input ${name} but it is missing`);
      return value;
    },
  };
}

function runKernel(
  kernel: string,
  rule: KernelRule,
  { inputs, attrs }: { inputs: tf.NamedTensorInfoMap; attrs?: KernelAttributes },
): tf.TensorInfo | tf.TensorInfo[] {
  refuseTape();
  const own = recording();
  const values = inputsOf(kernel, inputs);
  own.place = own.keepsPlaces ? here().line : undefined;
  const result = withPlace(kernel, () => rule(own.emit, values, attrs ?? {}));
  return typeof result === 'number' ? infoOf(result) : result.map(infoOf);
}

let backend: TraceBackend | undefined;

/** The tracing backend; its kernels are registered when it is first asked for. */
export function traceBackend(): tf.KernelBackend {
  if (backend !== undefined) return backend;
  for (const [kernelName, rule] of Object.entries(LOWERING))
    tf.registerKernel({
      kernelName,
      backendName: TRACE_BACKEND,
      kernelFunc: (call) => runKernel(kernelName, rule, call),
    });
  for (const kernelName of kernelNames().filter((name) => !(name in LOWERING)))
    tf.registerKernel({
      kernelName,
      backendName: TRACE_BACKEND,
      kernelFunc: () => {
        throw new TraceError(`Cannot trace ${placeText(here(), kernelName)}: ${unknownKernel(kernelName)}`);
      },
    });
  backend = new TraceBackend();
  return backend;
}

/** The kernels of TensorFlow.js: its constants whose value is their name. */
function kernelNames(): string[] {
  return Object.entries(tf).flatMap(([name, value]) => (value === name ? [name] : []));
}
