import * as tf from '@tensorflow/tfjs-core';
import { GraphBuilder } from '../graph/builder.ts';
import {
  type Attributes,
  type DType,
  DTYPES,
  type Node,
  type Op,
  type ValueId,
  type ValueType,
  typeText,
} from '../graph/graph.ts';
import { ShapeError } from '../graph/shape-error.ts';
import { engineInternals } from './engine-internals.ts';
import { type Emit, emitter } from './lowering/emit.ts';
import { type Asker, here, isTensorFlowError, placeOf, placeText, refuse, STACK_DEPTH } from './place.ts';
import { TraceError } from './trace-error.ts';

/** The TensorFlow.js backend's name whose tensors have shapes and no values. It is active while a trace runs. */
export const TRACE_BACKEND = 'lopt-trace';

/** The trace inside which another runs. */
export interface Enclosing {
  readonly recording: Recording;
  /** How an author hands over a tensor of it, where the inner one may not close over any; undefined where they become inputs. */
  readonly handOver: string | undefined;
}

/** A trace that is running: the graph being built, and which tensors from elsewhere it has taken in. */
export class Recording {
  readonly builder: GraphBuilder;
  readonly emit: Emit;
  readonly enclosing: Enclosing | undefined;
  /** Values of the enclosing trace that became inputs: its value to ours, in the order of the inputs. */
  readonly captured = new Map<ValueId, ValueId>();
  /** Constants of the enclosing trace that were made anew here. */
  readonly copied = new Map<ValueId, ValueId>();
  /** Tensors with values that became inputs, by data id; there where the trace may take them in. */
  readonly bound: Map<object, { readonly tensor: tf.Tensor; readonly value: ValueId }> | undefined;
  /** Whether each node is to know its place in the author's code. */
  readonly keepsPlaces: boolean;
  /** Place of the kernel being recorded. */
  place: string | undefined;
  /** Depth of tf.grads at which this trace began. */
  readonly gradientDepth: number;

  constructor(
    name: string,
    {
      enclosing,
      bindsTensors = false,
      keepsPlaces = false,
    }: { readonly enclosing?: Enclosing; readonly bindsTensors?: boolean; readonly keepsPlaces?: boolean },
  ) {
    this.builder = new GraphBuilder(name);
    this.emit = emitter(this.builder, () => this.place);
    this.enclosing = enclosing;
    this.bound = bindsTensors ? new Map() : undefined;
    this.keepsPlaces = keepsPlaces;
    this.gradientDepth = engineInternals().state.gradientDepth;
  }
}

let running: Recording | undefined;

/** Which value of which trace a tensor stands for, by its data id. */
const traced = new WeakMap<object, { readonly recording: Recording; readonly value: ValueId }>();

/** Whether code is being traced: tensors then have shapes and no values. */
export function isTracing(): boolean {
  return running !== undefined;
}

/** The running trace. @throws Error when none runs. */
export function recording(): Recording {
  if (running === undefined) throw new Error('Cannot record: expected a running trace but got none');
  return running;
}

/**
 * Runs `body` as the running trace, on the tracing backend. Everything is as before afterwards, also when it throws: the active backend
 * (whatever it is, even none or one that loads), an enclosing trace, the number of tensors.
 */
export function whileRecording<R>(own: Recording, backend: tf.KernelBackend, body: () => R): R {
  const internals = engineInternals();
  const { backendName, backendInstance, pendingBackendInit } = internals;
  const before = running;
  const limit = Error.stackTraceLimit;
  running = own;
  internals.backendName = TRACE_BACKEND;
  internals.backendInstance = backend;
  internals.pendingBackendInit = null;
  Error.stackTraceLimit = STACK_DEPTH;
  tf.engine().startScope();
  try {
    return body();
  } catch (error) {
    throw placed(error);
  } finally {
    tf.engine().endScope();
    running = before;
    Object.assign(internals, { backendName, backendInstance, pendingBackendInit });
    Error.stackTraceLimit = limit;
  }
}

/** Errors of TensorFlow.js itself, such as shapes that don't fit, with the place in the author's code. */
function placed(error: unknown): unknown {
  if (!isTensorFlowError(error)) return error;
  const text = placeText(placeOf((error.stack ?? '').replace(error.message, '')), 'TensorFlow.js');
  const kernel = /^Kernel '(.*)' not registered for backend/.exec(error.message)?.[1];
  if (kernel === undefined) return new ShapeError(`Cannot trace ${text}: ${error.message}`, { cause: error });
  return new TraceError(`Cannot trace ${text}: ${unknownKernel(kernel)}`, { cause: error });
}

/** What is said of a kernel that has no lowering. */
export function unknownKernel(kernel: string): string {
  return `expected a kernel made of the primitives but got ${kernel}; write it with other functions of TensorFlow.js, or compute it outside and pass the result in as an input`;
}

/** A tensor that stands for a value of the running trace. */
export function tensorOf(value: ValueId): tf.Tensor {
  const { dataId, shape, dtype } = infoOf(value);
  return tf.engine().makeTensorFromDataId(dataId, shape, dtype, tf.backend());
}

/** The same as kernels give it back. Each tensor has a data id of its own, so that disposing it counts right. */
export function infoOf(value: ValueId): tf.TensorInfo {
  const { shape, dtype } = recording().builder.type(value);
  const dataId = {};
  traced.set(dataId, { recording: recording(), value });
  return { dataId, shape: [...shape], dtype };
}

/** The type of a tensor. @throws TraceError for a string or complex tensor. */
export function typeOf({ shape, dtype }: tf.TensorInfo): ValueType {
  return { shape, dtype: asDType(dtype) };
}

/** The dtype of a value. @throws TraceError for string and complex64. */
export function asDType(dtype: tf.DataType): DType {
  const known = DTYPES.find((each) => each === dtype);
  if (known !== undefined) return known;
  return refuse({
    call: 'a tensor',
    expected: DTYPES.join(', '),
    got: dtype,
    wayOut: 'keep such tensors outside of traced code',
  });
}

/**
 * The value of the running trace that a tensor stands for. A tensor of an enclosing trace is captured where the running one may.
 * @throws TraceError for any other tensor.
 */
export function valueOf(tensor: tf.TensorInfo, call: Asker): ValueId {
  const own = recording();
  const known = traced.get(tensor.dataId);
  if (known === undefined) return boundValue(tensor, call);
  return (
    capture(own, known) ??
    refuse({
      call,
      expected: 'tensors of the running trace',
      got: `a ${typeText(typeOf(tensor))} of ${known.recording.builder.name}, which is another trace`,
      wayOut: 'pass it in as an input',
    })
  );
}

/** A tensor that has values: an input where the trace binds such tensors, else refused before TensorFlow.js moves it to this backend. */
function boundValue(tensor: tf.TensorInfo, call: Asker): ValueId {
  const root = rootOf(recording());
  if (root.bound === undefined)
    return refuse({
      call,
      expected: 'tensors of the running trace',
      got: `a ${typeText(typeOf(tensor))} made outside of it`,
      wayOut: 'pass it in as an input, or write constant([...])',
    });
  const known = root.bound.get(tensor.dataId);
  const value = known?.value ?? root.builder.input(`tensor/${root.bound.size}`, typeOf(tensor));
  // One boundary: the engine hands tensors, not infos alone, to kernels.
  if (known === undefined) root.bound.set(tensor.dataId, { tensor: tensor as tf.Tensor, value });
  return capture(recording(), { recording: root, value }) ?? value;
}

function rootOf(own: Recording): Recording {
  return own.enclosing === undefined ? own : rootOf(own.enclosing.recording);
}

function capture(
  own: Recording,
  known: { readonly recording: Recording; readonly value: ValueId },
): ValueId | undefined {
  if (known.recording === own) return known.value;
  if (own.enclosing === undefined) return undefined;
  const { recording: outer, handOver } = own.enclosing;
  const value = capture(outer, known);
  if (value === undefined) return undefined;
  const before = own.captured.get(value) ?? own.copied.get(value);
  if (before !== undefined) return before;
  const maker = outer.builder.nodes.find((node) => node.outputs.includes(value));
  if (maker?.op === 'constant') {
    const copy = own.builder.one('constant', maker.attrs, []);
    own.copied.set(value, copy);
    return copy;
  }
  if (handOver !== undefined)
    refuse({
      call: own.builder.name,
      expected: `only the tensors handed to ${own.builder.name}`,
      got: `${nameOf(outer, value, maker)} of ${outer.builder.name}, which it closes over`,
      wayOut: handOver,
    });
  const input = own.builder.input(`captured/${own.captured.size}`, outer.builder.type(value));
  own.captured.set(value, input);
  return input;
}

/** A value as messages call it: an input by its name, others by what made them. */
function nameOf({ builder }: Recording, value: ValueId, maker: Node | undefined): string {
  const port = builder.inputs.find((input) => input.value === value);
  const type = typeText(builder.type(value));
  if (port !== undefined) return `the input ${port.name} (${type})`;
  const made = maker !== undefined && 'fn' in maker.attrs ? maker.attrs.fn : maker?.op;
  return `the result of ${made ?? 'something'} (${type})`;
}

/** Adds a node to the running trace for an authoring function. @throws ShapeError with the place in the author's code. */
export function record<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): readonly ValueId[] {
  const { builder, keepsPlaces } = recording();
  return withPlace(op, () => builder.add(op, attrs, inputs, keepsPlaces ? here().line : undefined));
}

/** Runs what adds nodes; a ShapeError from there gets the place in the author's code. */
export function withPlace<R>(call: string, add: () => R): R {
  try {
    return add();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(`${error.message}, in ${placeText(here(), call)}`, { cause: error });
  }
}
