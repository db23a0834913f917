import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { compileC } from '../../../../jit/engines/native/compile-c.ts';
import { loadLibrary } from '../../../../jit/engines/native/library.ts';
import { type Runtime, loadRuntime } from '../../../../jit/engines/native/runtime.ts';
import type { ThreadPool } from '../../../../jit/engines/native/thread-pool.ts';
import { hasCompiler } from './c-compiler.ts';

const isThere = await hasCompiler();

const SOURCE = `
#include "pool.h"

// Counts calls by index, notes the worker of each, and marks overlaps of pieces on the same worker.
typedef struct {
  int32_t *calls;
  int32_t *workers;
  int32_t *busy; // [worker]
  int32_t overlaps;
} counting;

static void count_call(void *context, int64_t index, int64_t worker) {
  counting *c = context;
  if (__atomic_exchange_n(&c->busy[worker], 1, __ATOMIC_ACQUIRE)) __atomic_fetch_add(&c->overlaps, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&c->calls[index], 1, __ATOMIC_RELAXED);
  c->workers[index] = (int32_t)worker;
  __atomic_store_n(&c->busy[worker], 0, __ATOMIC_RELEASE);
}

LOPT_EXPORT int32_t count_calls(lopt_pool *pool, int64_t count, int64_t runs, int32_t *calls, int32_t *workers) {
  int32_t busy[256] = {0};
  counting c = {calls, workers, busy, 0};
  for (int64_t run = 0; run < runs; run += 1) lopt_pool_run(pool, count_call, &c, count);
  return c.overlaps;
}

// Every piece sums its own chunk in one order, as programs do with big tensors.
typedef struct {
  const float *x;
  float *sums;
  int64_t chunk;
} chunked;

static void sum_chunk(void *context, int64_t index, int64_t worker) {
  (void)worker;
  const chunked *c = context;
  float sum = 0;
  for (int64_t i = index * c->chunk; i < (index + 1) * c->chunk; i += 1) sum += c->x[i];
  c->sums[index] = sum;
}

LOPT_EXPORT float chunked_sum(lopt_pool *pool, const float *x, int64_t chunks, int64_t chunk, float *sums) {
  chunked c = {x, sums, chunk};
  lopt_pool_run(pool, sum_chunk, &c, chunks);
  float total = 0;
  for (int64_t i = 0; i < chunks; i += 1) total += sums[i];
  return total;
}

// Pieces of count \`outer\` that each run \`inner\` pieces.
typedef struct {
  lopt_pool *pool;
  int32_t *calls;
  int32_t *workers;
  int64_t inner;
} nested;

typedef struct {
  nested *all;
  int64_t index;
} piece;

static void inner_piece(void *context, int64_t index, int64_t worker) {
  const piece *p = context;
  __atomic_fetch_add(&p->all->calls[p->index * p->all->inner + index], 1, __ATOMIC_RELAXED);
  p->all->workers[p->index * p->all->inner + index] = (int32_t)worker;
}

static void outer_piece(void *context, int64_t index, int64_t worker) {
  (void)worker;
  nested *n = context;
  piece p = {n, index};
  lopt_pool_run(n->pool, inner_piece, &p, n->inner);
}

LOPT_EXPORT void run_nested(lopt_pool *pool, int64_t outer, int64_t inner, int32_t *calls, int32_t *workers) {
  nested n = {pool, calls, workers, inner};
  lopt_pool_run(pool, outer_piece, &n, outer);
}

// Both pieces wait for each other: only two threads end this.
static void meet(void *context, int64_t index, int64_t worker) {
  (void)index;
  (void)worker;
  int32_t *arrived = context;
  __atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) < 2) {}
}

LOPT_EXPORT void run_meeting(lopt_pool *pool, int32_t *arrived) { lopt_pool_run(pool, meet, arrived, 2); }

static void meet_inside(void *context, int64_t index, int64_t worker) {
  (void)index;
  (void)worker;
  void **both = context;
  lopt_pool_run(both[0], meet, both[1], 2);
}

// The same from inside a run of one piece.
LOPT_EXPORT void run_meeting_inside(lopt_pool *pool, int32_t *arrived) {
  void *both[] = {pool, arrived};
  lopt_pool_run(pool, meet_inside, both, 1);
}

static void wait_for(void *context, int64_t index, int64_t worker) {
  (void)index;
  (void)worker;
  while (__atomic_load_n((int32_t *)context, __ATOMIC_ACQUIRE) == 0) {}
}

LOPT_EXPORT void run_waiting(lopt_pool *pool, int32_t *flag) { lopt_pool_run(pool, wait_for, flag, pool->threads); }

LOPT_EXPORT int64_t threads_of(lopt_pool *pool) { return pool->threads; }
`;

async function loaded() {
  const library = loadLibrary(await compileC(SOURCE));
  const declare = (name: string, parameters: readonly ('pointer' | 'int64')[]) =>
    library.declare(name, { result: 'void', parameters });
  return {
    runtime: await loadRuntime(),
    countCalls: library.declare('count_calls', {
      result: 'int32',
      parameters: ['pointer', 'int64', 'int64', 'pointer', 'pointer'],
    }),
    chunkedSum: library.declare('chunked_sum', {
      result: 'float32',
      parameters: ['pointer', 'pointer', 'int64', 'int64', 'pointer'],
    }),
    threadsOf: library.declare('threads_of', { result: 'int64', parameters: ['pointer'] }),
    runNested: declare('run_nested', ['pointer', 'int64', 'int64', 'pointer', 'pointer']),
    runMeeting: declare('run_meeting', ['pointer', 'pointer']),
    runMeetingInside: declare('run_meeting_inside', ['pointer', 'pointer']),
    runWaiting: declare('run_waiting', ['pointer', 'pointer']),
  };
}

describe.runIf(isThere)('a pool', async () => {
  const native = isThere ? await loaded() : undefined;
  const parts = () => {
    if (native === undefined) throw new Error('Cannot test: expected a compiler');
    return native;
  };

  async function withPool(threads: number, use: (pool: ThreadPool, runtime: Runtime) => unknown): Promise<void> {
    const pool = parts().runtime.createPool(threads);
    try {
      await use(pool, parts().runtime);
    } finally {
      await pool.dispose();
    }
  }

  test.each([1, 2, 4, 9])('of %i does every index once a run, one piece a worker at a time', (threads) =>
    withPool(threads, async (pool) => {
      expect(parts().threadsOf(pool.pointer)).toBe(threads);
      for (const count of [0, 1, 2, 3, 37, 500]) {
        const calls = new Int32Array(count + 1);
        const workers = new Int32Array(count + 1).fill(-1);
        const runs = 300;
        expect(parts().countCalls(pool.pointer, count, runs, calls, workers)).toBe(0);
        expect([...calls]).toEqual([...Array.from({ length: count }, () => runs), 0]);
        expect(workers.subarray(0, count).every((worker) => worker >= 0 && worker < threads)).toBe(true);
        expect(await parts().countCalls.async(pool.pointer, count, 20, calls, workers)).toBe(0);
        expect([...calls]).toEqual([...Array.from({ length: count }, () => runs + 20), 0]);
      }
    }),
  );

  test('gives the same bits on 1, 2 and 4 threads', async () => {
    const x = Float32Array.from({ length: 64 * 100 }, (_, index) => Math.sin(index) * 2 ** (index % 20));
    const results: Float32Array[] = [];
    for (const threads of [1, 2, 4])
      await withPool(threads, async (pool) => {
        for (let run = 0; run < 100; run += 1) {
          const sums = new Float32Array(65);
          sums[64] = await parts().chunkedSum.async(pool.pointer, x, 64, 100, sums);
          results.push(sums);
        }
      });
    expect(results[0]?.every((sum) => sum !== 0)).toBe(true);
    for (const sums of results) expect(sums).toEqual(results[0]);
  });

  test('really has several threads, from a synchronous and an asynchronous call, and inside a run of one piece', () =>
    withPool(2, async (pool) => {
      for (let run = 0; run < 20; run += 1) {
        parts().runMeeting(pool.pointer, new Int32Array(1));
        await parts().runMeeting.async(pool.pointer, new Int32Array(1));
        await parts().runMeetingInside.async(pool.pointer, new Int32Array(1));
      }
    }));

  test.each([1, 3])('of %i does runs inside of pieces on their own worker', (threads) =>
    withPool(threads, (pool) => {
      const [outer, inner] = [20, 30];
      for (let run = 0; run < 20; run += 1) {
        const calls = new Int32Array(outer * inner);
        const workers = new Int32Array(outer * inner).fill(-1);
        parts().runNested(pool.pointer, outer, inner, calls, workers);
        expect(calls.every((count) => count === 1)).toBe(true);
        for (let index = 0; index < outer; index += 1)
          expect(new Set(workers.subarray(index * inner, (index + 1) * inner)).size).toBe(1);
      }
    }),
  );

  test('takes turns between callers, and others work beside it', async () => {
    await withPool(2, (first) =>
      withPool(3, async (second) => {
        const all = await Promise.all(
          Array.from({ length: 12 }, async (_, caller) => {
            const calls = new Int32Array(50);
            const pool = caller % 3 === 0 ? second : first;
            const overlaps = await parts().countCalls.async(pool.pointer, 50, 200, calls, new Int32Array(50));
            return { overlaps, calls: [...calls] };
          }),
        );
        for (const result of all) expect(result).toEqual({ overlaps: 0, calls: Array.from({ length: 50 }, () => 200) });
      }),
    );
  });

  test('leaves the event loop free', () =>
    withPool(2, async (pool) => {
      const flag = new Int32Array(1);
      const waiting = parts().runWaiting.async(pool.pointer, flag);
      await delay(2);
      // Without this turn of the loop the run would never end.
      Atomics.store(flag, 0, 1);
      await waiting;
    }));

  test('sleeps while there is nothing to do', () =>
    withPool(4, async (pool) => {
      const calls = new Int32Array(100);
      for (let round = 0; round < 3; round += 1) {
        parts().countCalls(pool.pointer, 100, 10, calls, new Int32Array(100));
        // However busy the machine, the threads come to rest and stay there.
        while (pool.sleeping < 3) await delay(1);
        await delay(3);
        expect(pool.sleeping).toBe(3);
      }
      expect([...calls]).toEqual(Array.from({ length: 100 }, () => 30));
    }));

  test('ends while idle, unused, or with runs under way, and only once', async () => {
    for (let round = 0; round < 20; round += 1) await parts().runtime.createPool(4).dispose();
    const pool = parts().runtime.createPool(2);
    const flag = new Int32Array(1);
    const waiting = [1, 2].map(() => parts().runWaiting.async(pool.pointer, flag));
    // Both have begun: one is under way, one waits for its turn.
    await delay(5);
    const [ended, again] = [pool.dispose(), pool.dispose()];
    const gone = new RangeError('Cannot use a pool of threads: expected a live one but got a disposed one');
    expect(() => pool.pointer).toThrow(gone);
    expect(() => pool.sleeping).toThrow(gone);
    await again;
    Atomics.store(flag, 0, 1);
    await Promise.all([...waiting, ended]);
  });

  test('needs a count that makes sense, and that the system allows', () => {
    for (const threads of [0, -1, 1.5, Number.NaN])
      expect(() => parts().runtime.createPool(threads)).toThrow(
        new RangeError(`Cannot start an engine: expected a whole number of threads from 1 but got ${threads}`),
      );
  });

  test('memory is aligned, zero, and gone when disposed of', async () => {
    const { runtime } = parts();
    const memory = [1, 100, 1 << 20].map((sizeBytes) => runtime.allocate(sizeBytes));
    for (const { pointer, sizeBytes } of memory) {
      expect(pointer % 64n).toBe(0n);
      if (sizeBytes < 64) continue;
      await withPool(1, (pool) => {
        const count = Math.floor(sizeBytes / 4);
        const sums = new Float32Array(1);
        expect(parts().chunkedSum(pool.pointer, pointer, 1, count, sums)).toBe(0);
      });
    }
    for (const block of memory) {
      block.dispose();
      block.dispose();
      expect(() => block.pointer).toThrow(
        new RangeError('Cannot use native memory: expected live memory but got what was disposed'),
      );
    }
    expect(() => runtime.allocate(0)).toThrow(
      new RangeError('Cannot allocate memory: expected a whole number of bytes from 1 but got 0'),
    );
    expect(() => runtime.allocate(2 ** 52)).toThrow(
      new Error(`Cannot allocate memory: expected ${2 ** 52} bytes to be free but the system refused`),
    );
  });

  test('a process that forgets to dispose its pool ends by itself, the threads still awake', () => {
    const module = (name: string) =>
      JSON.stringify(new URL(`../../../../dist/jit/engines/native/${name}.js`, import.meta.url).href);
    const script = `
      const { compileC } = await import(${module('compile-c')});
      const { loadLibrary } = await import(${module('library')});
      const { loadRuntime } = await import(${module('runtime')});
      const pool = (await loadRuntime()).createPool(4);
      const countCalls = loadLibrary(await compileC(${JSON.stringify(SOURCE)}))
        .declare('count_calls', { result: 'int32', parameters: ['pointer', 'int64', 'int64', 'pointer', 'pointer'] });
      const calls = new Int32Array(100);
      countCalls(pool.pointer, 100, 10, calls, new Int32Array(100));
      console.log(calls.every((count) => count === 10));`;
    const cwd = fileURLToPath(new URL('../../../..', import.meta.url));
    for (let run = 0; run < 3; run += 1)
      expect(
        execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
          cwd,
          encoding: 'utf8',
          timeout: 30_000,
        }),
      ).toBe('true\n');
  });
});
