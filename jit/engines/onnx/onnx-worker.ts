import { parentPort } from 'node:worker_threads';
import type { TypedArray } from '../../graph/graph.ts';
import { BufferPool } from './buffers.ts';
import { loadOnnxRuntime } from './loader.ts';
import { OnnxSession, type TypedValue } from './session.ts';
import type { Answer, Request } from './worker-protocol.ts';

// A worker of the pool: sessions of one thread each, and the arrays that it was sent to keep. Requests are done in order.

const port = parentPort;
if (port === null) throw new Error('Cannot start: expected to be a worker thread of the onnx pool');

const buffers = new BufferPool();
const sessions = new Map<number, OnnxSession>();
const kept = new Map<number, TypedArray>();

/** An answer, and the buffers to hand over with it. */
interface Reply {
  readonly answer: Answer;
  readonly transfer: ArrayBuffer[];
}

type Handler<K extends Request['kind']> = (request: Extract<Request, { kind: K }>) => Promise<Reply | undefined>;

const done = (request: number): Reply => ({ answer: { request, kind: 'done' }, transfer: [] });

/** What the worker does for each kind of request. */
const HANDLERS: { readonly [K in Request['kind']]: Handler<K> } = {
  compile: async ({ request, program, model }) => {
    const runtime = await loadOnnxRuntime();
    sessions.set(program, await OnnxSession.create(model, { runtime, buffers, device: 'cpu', threads: 1 }));
    return done(request);
  },
  run: async ({ request, program, inputs, outputs }) => {
    const values = new Map<string, TypedValue>();
    const used: TypedArray[] = [];
    for (const { name, shape, dtype, id, data } of inputs) {
      if (id !== undefined && data !== undefined) kept.set(id, data);
      if (id === undefined && data !== undefined) used.push(data);
      const elements = data ?? (id === undefined ? undefined : kept.get(id));
      if (elements === undefined) throw new Error(`Cannot run: expected the elements of ${name} but got none`);
      values.set(name, { shape, dtype, data: elements });
    }
    const session = sessions.get(program);
    if (session === undefined) throw new Error(`Cannot run: expected a compiled program but got number ${program}`);
    const results = await session.run(values, new Map(outputs.map((output) => [output.name, output])));
    // What was sent for this run alone is memory for the next one's results.
    for (const array of used) buffers.give(array);
    const transfer = [...results.values()].map((array) => array.buffer as ArrayBuffer);
    return { answer: { request, kind: 'results', results }, transfer };
  },
  forget: async ({ ids }) => {
    for (const id of ids) kept.delete(id);
    return undefined;
  },
  release: async ({ request, program }) => {
    await sessions.get(program)?.release();
    sessions.delete(program);
    return done(request);
  },
  stop: async ({ request }) => {
    for (const session of sessions.values()) await session.release();
    return done(request);
  },
};

async function handle(request: Request): Promise<Reply | undefined> {
  // One boundary: the table's handler for request.kind takes that request, which TypeScript can't conclude for a union.
  const handler = HANDLERS[request.kind] as Handler<Request['kind']>;
  return handler(request);
}

let last: Promise<void> = Promise.resolve();

async function answer(request: Request): Promise<void> {
  try {
    const reply = await handle(request);
    if (reply !== undefined) port?.postMessage(reply.answer, reply.transfer);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if ('request' in request) port?.postMessage({ request: request.request, kind: 'failed', message } satisfies Answer);
  }
  if (request.kind === 'stop') port?.close();
}

port.on('message', (request: Request) => {
  last = last.then(() => answer(request));
});
