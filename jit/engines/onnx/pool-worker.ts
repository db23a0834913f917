import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Answer, Request } from './worker-protocol.ts';

/** Under a test runner this module is TypeScript, which Node 20 can't start a thread from: then the built worker is used. */
function workerFile(): string {
  const here = import.meta.url;
  const url = here.endsWith('.ts')
    ? new URL('../../../dist/jit/engines/onnx/onnx-worker.js', here)
    : new URL('./onnx-worker.js', here);
  const file = fileURLToPath(url);
  if (!existsSync(file))
    throw new Error(
      `Cannot start the onnx pool: expected the built worker ${file} but it is missing; run npm run build`,
    );
  return file;
}

type Results = Extract<Answer, { kind: 'results' }>['results'];

interface Waiting {
  readonly resolve: (results: Results) => void;
  readonly reject: (cause: Error) => void;
}

/** One thread with sessions of its own. It keeps the process alive only while it owes an answer. */
export class PoolWorker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** Numbers of the arrays that the thread keeps. */
  readonly kept = new Set<number>();
  #requests = 0;
  #failure: Error | undefined;
  readonly #exited: Promise<void>;

  constructor() {
    // Node's own options (an --eval of the parent) are not for the thread.
    this.#worker = new Worker(workerFile(), { execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (cause: Error) => this.#fail(cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(new Error(`Cannot run: expected a live worker of the onnx pool but it ended with code ${code}`));
        resolve();
      });
    });
  }

  /** Sends a request; gives the results, none unless it was a run. @throws Error when the thread can't do it, or ends before it has. */
  ask(
    request: (number: number) => Exclude<Request, { kind: 'forget' }>,
    transfer: ArrayBuffer[] = [],
  ): Promise<Results> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const number = this.#requests;
    this.#requests += 1;
    this.#worker.ref();
    const answer = new Promise<Results>((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
    try {
      this.#worker.postMessage(request(number), transfer);
    } catch (cause) {
      this.#settle({
        request: number,
        kind: 'failed',
        message: cause instanceof Error ? cause.message : String(cause),
      });
    }
    return answer;
  }

  /** Lets the thread drop an array that it keeps, if it does. */
  forget(id: number): void {
    if (this.kept.delete(id)) this.#worker.postMessage({ kind: 'forget', ids: [id] } satisfies Request, []);
  }

  /** Ends the thread after what it has been asked. */
  async stop(): Promise<void> {
    if (this.#failure === undefined) await this.ask((request) => ({ kind: 'stop', request })).catch(() => undefined);
    this.#worker.ref();
    await this.#exited;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.request);
    this.#waiting.delete(answer.request);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (answer.kind === 'failed') waiting?.reject(new Error(answer.message));
    else waiting?.resolve(answer.kind === 'results' ? answer.results : new Map());
  }

  #fail(cause: Error): void {
    this.#failure ??= cause;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}
