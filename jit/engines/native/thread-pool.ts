import { checkThreads } from '../threads.ts';
import type { RuntimeFunctions } from './runtime.ts';

/**
 * Threads that native programs share their work among (c/pool.h). The caller of a program is the first of them; the others sleep
 * while there is nothing to do. They don't keep the process alive. Runs of several callers take turns, and an `.async` call that waits
 * for its turn keeps a thread of Node's pool busy: better to have one at a time under way.
 */
export class ThreadPool {
  /** The calling thread included. */
  readonly threads: number;
  readonly #functions: RuntimeFunctions;
  #pointer: bigint | null;

  constructor(functions: RuntimeFunctions, threads: number) {
    this.threads = checkThreads(threads);
    this.#functions = functions;
    this.#pointer = functions.createPool(threads);
    if (this.#pointer === null)
      throw new Error(
        `Cannot start ${threads} threads: expected the system to allow them but it did not; use fewer (--threads)`,
      );
  }

  /** What programs take as `lopt_pool *`. @throws RangeError once disposed. */
  get pointer(): bigint {
    if (this.#pointer === null)
      throw new RangeError('Cannot use a pool of threads: expected a live one but got a disposed one');
    return this.#pointer;
  }

  /** How many threads sleep at the moment: all but the caller's, soon after a run. */
  get sleeping(): number {
    return Number(this.#functions.sleeping(this.pointer));
  }

  /** Ends the threads once the runs that have begun have ended; none may begin afterwards. Disposing twice does nothing. */
  async dispose(): Promise<void> {
    const pointer = this.#pointer;
    this.#pointer = null;
    if (pointer !== null) await this.#functions.destroyPool.async(pointer);
  }
}
