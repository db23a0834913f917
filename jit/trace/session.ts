import * as tf from '@tensorflow/tfjs-core';
import type { Attributes, Op, ValueId, ValueType } from '../graph/graph.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { ShapeError } from '../graph/shape-error.ts';

/** Something in traced code that a Graph can't express. The message names the op, the place in the author's code and the way out. */
export class TraceError extends TypeError {
  override readonly name = 'TraceError';
}

/** One trace that is running: the graph being built, and for bodies the values of enclosing traces that they captured. */
export class Session {
  readonly builder: GraphBuilder;
  readonly parent: Session | undefined;
  /** Whether values of enclosing traces become captured inputs; otherwise using one is an error that calls this trace `what`. */
  readonly mayCapture: boolean;
  readonly captures: { readonly outer: ValueId; readonly inner: ValueId }[] = [];

  constructor(name: string, parent: Session | undefined, mayCapture: boolean) {
    this.builder = new GraphBuilder(name);
    this.parent = parent;
    this.mayCapture = mayCapture;
  }
}

/** The value that stands for a traced tensor. */
interface Traced {
  readonly session: Session;
  readonly value: ValueId;
}

const traced = new WeakMap<object, Traced>();
let current: Session | undefined;

/** Whether a trace is running. */
export function isTracing(): boolean {
  return current !== undefined;
}

/** The trace that is running. @throws Error when none is. */
export function session(): Session {
  if (current === undefined) throw new Error('Cannot record: expected a running trace but there is none');
  return current;
}

/** Runs `body` with `own` as the running trace and the tracing backend active; both are as before afterwards, also on a throw. */
export function within<R>(own: Session, body: () => R): R {
  const before = current;
  const backend = tf.getBackend();
  current = own;
  if (backend !== BACKEND) tf.setBackend(BACKEND);
  tf.engine().startScope(own.builder.name);
  try {
    return body();
  } finally {
    tf.engine().endScope();
    current = before;
    if (backend !== BACKEND) restore(backend);
  }
}

/** Makes a backend active again; none where none had been chosen yet, so that TensorFlow.js still picks its best. */
function restore(backend: string | undefined): void {
  if (backend !== undefined) tf.setBackend(backend);
  else Object.assign(tf.engine(), { backendName: undefined, backendInstance: null });
}

/** Name under which the tracing backend is registered. */
export const BACKEND = 'lopt-trace';

/** A tensor without values that stands for a value of the running trace. */
export function toTensor(value: ValueId): tf.Tensor {
  const own = session();
  const { shape, dtype } = own.builder.type(value);
  const dataId = {};
  traced.set(dataId, { session: own, value });
  return tf.engine().makeTensorFromDataId(dataId, [...shape], dtype, tf.engine().backend as tf.KernelBackend);
}

/** Registers a data id for a value, as kernels give it back. */
export function toTensorInfo(value: ValueId): tf.TensorInfo {
  const own = session();
  const { shape, dtype } = own.builder.type(value);
  const dataId = {};
  traced.set(dataId, { session: own, value });
  return { dataId, shape: [...shape], dtype };
}

/** Lets a data id stand for a value. */
export function register(dataId: object, value: ValueId): void {
  traced.set(dataId, { session: session(), value });
}

/** The value that a tensor stands for in the running trace; a value of an enclosing trace is captured. @throws TraceError for other tensors. */
export function toValue(tensor: tf.TensorInfo, op: string): ValueId {
  const own = session();
  const known = traced.get(tensor.dataId);
  if (known === undefined)
    throw new TraceError(
      `Cannot trace ${op}: expected tensors of the trace but got a ${tensor.dtype}[${tensor.shape}] that holds values, at ${place()}; ` +
        'pass it in as an input, or write constant([...])',
    );
  const value = capture(own, known);
  if (value === undefined)
    throw new TraceError(
      `Cannot trace ${op}: expected values of ${own.builder.name} but got a ${tensor.dtype}[${tensor.shape}] of ${known.session.builder.name}, at ${place()}; ` +
        'pass it in as a record or among the shared tensors',
    );
  return value;
}

function capture(own: Session, known: Traced): ValueId | undefined {
  if (known.session === own) return known.value;
  if (own.parent === undefined || !own.mayCapture) return undefined;
  const outer = capture(own.parent, known);
  if (outer === undefined) return undefined;
  const before = own.captures.find((one) => one.outer === outer);
  if (before !== undefined) return before.inner;
  const inner = own.builder.input(`captured/${own.captures.length}`, own.parent.builder.type(outer));
  own.captures.push({ outer, inner });
  return inner;
}

/** Adds a node to the running trace; a shape that doesn't fit is an error with the op and the place. */
export function record<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): readonly ValueId[] {
  try {
    return session().builder.add(op, attrs, inputs);
  } catch (error) {
    if (error instanceof ShapeError && !error.message.includes(', at '))
      throw new ShapeError(`${error.message}, at ${place()}`, { cause: error });
    throw error;
  }
}

/** The type of a value of the running trace. */
export function typeOf(value: ValueId): ValueType {
  return session().builder.type(value);
}

const OWN_FILES = /node_modules|node:internal|[\\/]jit[\\/](?:trace|graph|transform|engines)[\\/]|<anonymous>/;

/** Where in the author's code the running call is: `file:line`. */
export function place(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 80;
  const lines = (new Error('place').stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = limit;
  const line = lines.find((text) => !OWN_FILES.test(text)) ?? '';
  const match = /([^\s(]+):(\d+):\d+\)?$/.exec(line);
  return match === null ? 'an unknown place' : `${(match[1] ?? '').replace(/^.*[\\/]/, '')}:${match[2]}`;
}
