import { TraceError } from './trace-error.ts';

/** Where in the author's code something happened. */
export interface Place {
  /** The function that the author called there: `tf.matMul`, `scan`; undefined when the stack doesn't tell. */
  readonly call: string | undefined;
  /** `file:line`, undefined when the stack doesn't tell. */
  readonly line: string | undefined;
}

interface Frame {
  readonly name: string;
  readonly file: string;
  readonly line: string;
}

/** Frames needed to get from a kernel through TensorFlow.js to the author's code. */
export const STACK_DEPTH = 100;

/** Files of this folder are no author's code. */
const OWN_FOLDER = import.meta.url.slice(0, import.meta.url.lastIndexOf('/') + 1).replace(/^file:\/\//, '');
const TENSORFLOW = /[\\/]@tensorflow[\\/]/;
const FOREIGN = /[\\/]node_modules[\\/]|^node:|<anonymous>|^native$/;

/** Lines of stacks: `at name (file:line:column)` or `at file:line:column` of V8, `name@file:line:column` of other engines. */
const V8_FRAME = /^\s*at (?:async )?(?:(.*?) \()?([^()]*?):(\d+):\d+\)?$/;
const OTHER_FRAME = /^([^@\s]*)@(.*?):(\d+):\d+$/;

function framesOf(stack: string): Frame[] {
  return stack.split('\n').flatMap((text) => {
    const match = V8_FRAME.exec(text) ?? OTHER_FRAME.exec(text);
    if (match === null) return [];
    const [, name = '', file = '', line = ''] = match;
    return [{ name, file: file.replace(/^file:\/\//, ''), line }];
  });
}

function isOwn(file: string): boolean {
  return file.startsWith(OWN_FOLDER) || file.replace(/^https?:\/\/[^/]*/, '').startsWith(OWN_FOLDER);
}

/** Reads the place off a stack: the first frame of code that is neither a package's nor of this folder, and what it called. */
export function placeOf(stack: string): Place {
  const frames = framesOf(stack);
  const index = frames.findIndex(({ file }) => !FOREIGN.test(file) && !isOwn(file));
  const author = frames[index];
  const called = frames[index < 0 ? -1 : index - 1];
  return {
    call: called === undefined ? undefined : callText(called),
    line: author === undefined ? undefined : `${author.file}:${author.line}`,
  };
}

/** TensorFlow.js's names have a suffix (`matMul__op`, `tensor1d`), methods their class (`Tensor.matMul`). */
function callText({ name, file }: Frame): string | undefined {
  const plain =
    (name.split(' ')[0] ?? '')
      .split('.')
      .at(-1)
      ?.replace(/_*(_op)?$/, '') ?? '';
  if (!/^[A-Za-z]\w*$/.test(plain)) return undefined;
  return TENSORFLOW.test(file) ? `tf.${plain}` : plain;
}

/** The place of the code that runs now. */
export function here(): Place {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  const { stack } = new Error('here');
  Error.stackTraceLimit = limit;
  return placeOf((stack ?? '').replace(/^.*\n/, ''));
}

/** What needs something that can't be had: a call, which the stack tells better, or an output of the trace. */
export type Asker = string | { readonly output: string };

/** A place as messages show it: `tf.matMul at file:line`. */
export function placeText({ call, line }: Place, asker: Asker): string {
  const what = typeof asker === 'string' ? (call ?? asker) : `the output ${asker.output}`;
  return `${what} at ${line ?? 'an unknown place'}`;
}

/** Throws a TraceError that names the place of the code that runs now. */
export function refuse({ call, expected, got, wayOut }: Refusal): never {
  throw new TraceError(`Cannot trace ${placeText(here(), call)}: expected ${expected} but got ${got}; ${wayOut}`);
}

/** What is wrong with traced code. */
export interface Refusal {
  readonly call: Asker;
  readonly expected: string;
  readonly got: string;
  readonly wayOut: string;
}

/** Whether an error was thrown by TensorFlow.js itself, rather than by code that it called. */
export function isTensorFlowError(error: unknown): error is Error {
  if (!(error instanceof Error) || error.constructor !== Error) return false;
  const [first] = framesOf((error.stack ?? '').replace(error.message, ''));
  return first !== undefined && TENSORFLOW.test(first.file);
}
