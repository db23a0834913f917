// What generated code sees of the pool of threads (runtime.c): a call through a pointer, so that no program needs to be linked with it.
#ifndef LOPT_POOL_H
#define LOPT_POOL_H

#include <stdint.h>

// Programs are compiled with -fvisibility=hidden; what JavaScript calls is exported by name.
#define LOPT_EXPORT __attribute__((visibility("default")))

typedef struct lopt_pool lopt_pool;

// One piece of work. `worker` is below pool->threads and is that of no other piece running at the same time: it picks the arena.
typedef void (*lopt_task)(void *context, int64_t index, int64_t worker);

struct lopt_pool {
  void (*run)(lopt_pool *pool, lopt_task task, void *context, int64_t count);
  // Workers in all, the calling thread among them (it is worker 0).
  int64_t threads;
};

// Calls task(context, index, worker) once for every index below count, on all threads of the pool, and returns when all are done.
// Which worker does which index is left to chance: results that must not depend on it go to places of their own by index.
// Runs of several callers take turns. Inside a task, a further run is done by the task's own worker alone, except when the task is
// the only one of its run (count 1): then the run inside it has all the threads, and worker 0 in it is the task's own.
static inline void lopt_pool_run(lopt_pool *pool, lopt_task task, void *context, int64_t count) {
  pool->run(pool, task, context, count);
}

#endif
