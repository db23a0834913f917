// The part of the native engine that is the same for all programs: a pool of threads and aligned memory. It is compiled once into a
// library of its own, and programs reach it through pool.h: each of them stays small, and they share the threads.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // dladdr
#endif

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "pool.h"

enum {
  // How long a thread looks for work, or a caller for the end of it, before it sleeps: about what falling asleep and being woken
  // cost, so that runs close together need neither and idle threads cost nothing.
  SPIN_NANOSECONDS = 40000,
  SPINS_BETWEEN_CLOCKS = 32,
  STACK_BYTES = 8 << 20,
  ALIGNMENT = 64,
};

struct member {
  struct pool *pool;
  int64_t worker;
};

struct pool {
  lopt_pool visible; // first: a pointer to it is a pointer to the pool
  pthread_mutex_t turn; // held by the caller whose run is going on
  int64_t callers; // inside or waiting for their turn (atomic)
  pthread_mutex_t lock; // guards what follows; what is also read without it is read and written atomically
  pthread_cond_t wake;
  pthread_cond_t done;
  lopt_task task;
  void *context;
  int64_t count;
  int64_t next; // the first index that nobody has taken (atomic)
  uint64_t generation; // number of runs begun (atomic)
  int64_t active; // workers inside the run, without the caller (atomic)
  int64_t sleeping; // workers that wait for `wake`
  int64_t tickets; // those of them that may wake: each takes one
  int is_open; // workers may enter the run
  int is_awaited; // the caller waits for `done`
  int must_stop; // (atomic)
  int64_t started; // threads that exist
  pthread_t *threads;
  struct member *members;
};

// What this thread is doing: a task of which pool, as which worker, and whether other workers are busy with the same run.
static __thread struct {
  struct pool *pool;
  int64_t worker;
  int is_shared;
} current;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("pause");
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void work_through(struct pool *pool, lopt_task task, void *context, int64_t count, int64_t worker) {
  for (;;) {
    const int64_t index = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
    if (index >= count) return;
    task(context, index, worker);
  }
}

static void spin_for_work(struct pool *pool, uint64_t seen) {
  const int64_t end = now() + SPIN_NANOSECONDS;
  do {
    for (int spin = 0; spin < SPINS_BETWEEN_CLOCKS; spin += 1) {
      if (__atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE) != seen) return;
      if (__atomic_load_n(&pool->must_stop, __ATOMIC_ACQUIRE)) return;
      relax();
    }
    sched_yield(); // the thread waited for may need this very core
  } while (now() < end);
}

static void spin_for_end(struct pool *pool) {
  const int64_t end = now() + SPIN_NANOSECONDS;
  do {
    for (int spin = 0; spin < SPINS_BETWEEN_CLOCKS; spin += 1) {
      if (__atomic_load_n(&pool->active, __ATOMIC_ACQUIRE) == 0) return;
      relax();
    }
    sched_yield(); // the thread waited for may need this very core
  } while (now() < end);
}

static void *worker_loop(void *argument) {
  const struct member *member = argument;
  struct pool *pool = member->pool;
  current.pool = pool;
  current.worker = member->worker;
  current.is_shared = 1;
  uint64_t seen = 0;
  for (;;) {
    spin_for_work(pool, seen);
    pthread_mutex_lock(&pool->lock);
    if (pool->generation == seen && !pool->must_stop) {
      pool->sleeping += 1;
      while (pool->tickets == 0 && !pool->must_stop) pthread_cond_wait(&pool->wake, &pool->lock);
      if (pool->tickets > 0) pool->tickets -= 1;
      pool->sleeping -= 1;
    }
    if (pool->must_stop) break;
    // A run that has ended meanwhile is not entered, its context may be gone; nor one that this worker has been in.
    const int is_new = pool->is_open && pool->generation != seen;
    seen = pool->generation;
    if (!is_new) {
      pthread_mutex_unlock(&pool->lock);
      continue;
    }
    const lopt_task task = pool->task;
    void *context = pool->context;
    const int64_t count = pool->count;
    __atomic_store_n(&pool->active, pool->active + 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&pool->lock);
    work_through(pool, task, context, count, member->worker);
    pthread_mutex_lock(&pool->lock);
    __atomic_store_n(&pool->active, pool->active - 1, __ATOMIC_RELEASE);
    const int is_last = pool->active == 0 && pool->is_awaited;
    pthread_mutex_unlock(&pool->lock);
    if (is_last) pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

// A run on all threads; the calling thread has the turn and is worker 0.
static void run_shared(struct pool *pool, lopt_task task, void *context, int64_t count) {
  pthread_mutex_lock(&pool->lock);
  pool->task = task;
  pool->context = context;
  pool->count = count;
  __atomic_store_n(&pool->next, 0, __ATOMIC_RELAXED);
  pool->is_open = 1;
  pool->is_awaited = 0;
  __atomic_store_n(&pool->generation, pool->generation + 1, __ATOMIC_RELEASE);
  // No more are woken than there are pieces for.
  const int64_t asleep = pool->sleeping - pool->tickets;
  const int64_t woken = asleep < count - 1 ? asleep : count - 1;
  pool->tickets += woken;
  pthread_mutex_unlock(&pool->lock);
  if (woken > 0 && woken == asleep)
    pthread_cond_broadcast(&pool->wake);
  else
    for (int64_t signals = 0; signals < woken; signals += 1) pthread_cond_signal(&pool->wake);
  work_through(pool, task, context, count, 0);
  spin_for_end(pool);
  pthread_mutex_lock(&pool->lock);
  pool->is_awaited = 1;
  while (pool->active > 0) pthread_cond_wait(&pool->done, &pool->lock);
  pool->is_open = 0;
  pthread_mutex_unlock(&pool->lock);
}

static void run(lopt_pool *visible, lopt_task task, void *context, int64_t count) {
  struct pool *pool = (struct pool *)visible;
  const int is_inside = current.pool == pool;
  if (is_inside && (current.is_shared || count <= 1 || pool->started == 0)) {
    for (int64_t index = 0; index < count; index += 1) task(context, index, current.worker);
    return;
  }
  // A task of another pool may run one of this: what this thread is doing is put back afterwards.
  const typeof(current) before = current;
  if (!is_inside) {
    __atomic_fetch_add(&pool->callers, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&pool->turn);
  }
  current.pool = pool;
  current.worker = 0;
  current.is_shared = count > 1;
  if (count > 1 && pool->started > 0)
    run_shared(pool, task, context, count);
  else
    for (int64_t index = 0; index < count; index += 1) task(context, index, 0);
  current = before;
  if (!is_inside) {
    pthread_mutex_unlock(&pool->turn);
    __atomic_fetch_sub(&pool->callers, 1, __ATOMIC_RELEASE);
  }
}

static void stop(struct pool *pool) {
  pthread_mutex_lock(&pool->lock);
  __atomic_store_n(&pool->must_stop, 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&pool->lock);
  pthread_cond_broadcast(&pool->wake);
  for (int64_t index = 0; index < pool->started; index += 1) pthread_join(pool->threads[index], NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  pthread_mutex_destroy(&pool->turn);
  free(pool->members);
  free(pool->threads);
  free(pool);
}

// A pool of `threads` workers, of which the calling thread of a run is one; NULL where the system refuses memory or threads.
LOPT_EXPORT lopt_pool *lopt_pool_create(int64_t threads) {
  // Threads sleep in this library's code when the process ends, and the library must not be unmapped under them.
  Dl_info self;
  if (dladdr((void *)&lopt_pool_create, &self) != 0) dlopen(self.dli_fname, RTLD_LAZY | RTLD_NODELETE);
  struct pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return NULL;
  pool->visible.run = run;
  pool->visible.threads = threads;
  pool->threads = calloc((size_t)threads, sizeof *pool->threads);
  pool->members = calloc((size_t)threads, sizeof *pool->members);
  pthread_mutex_init(&pool->turn, NULL);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  int failure = pool->threads == NULL || pool->members == NULL;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  // Signals are for the threads of Node.js.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int64_t index = 0; index < threads - 1 && !failure; index += 1) {
    pool->members[index] = (struct member){pool, index + 1};
    failure = pthread_create(&pool->threads[index], &attributes, worker_loop, &pool->members[index]);
    if (!failure) pool->started += 1;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (!failure) return &pool->visible;
  stop(pool);
  return NULL;
}

// Ends the threads, after the runs that have been called. The pool is not used afterwards.
LOPT_EXPORT void lopt_pool_destroy(lopt_pool *visible) {
  struct pool *pool = (struct pool *)visible;
  while (__atomic_load_n(&pool->callers, __ATOMIC_ACQUIRE) > 0) {
    pthread_mutex_lock(&pool->turn);
    pthread_mutex_unlock(&pool->turn);
    sched_yield();
  }
  stop(pool);
}

// Threads that sleep until there is work: all but the caller's, a moment after a run.
LOPT_EXPORT int64_t lopt_pool_sleeping(lopt_pool *visible) {
  struct pool *pool = (struct pool *)visible;
  pthread_mutex_lock(&pool->lock);
  const int64_t asleep = pool->sleeping - pool->tickets;
  pthread_mutex_unlock(&pool->lock);
  return asleep;
}

// Memory aligned to a cache line, filled with zeros; NULL where there is none. Big blocks take up pages only as they are written to,
// near the thread that does. The address that calloc gave stands before the block.
LOPT_EXPORT void *lopt_alloc(int64_t bytes) {
  char *base = calloc(1, (size_t)bytes + sizeof(void *) + ALIGNMENT);
  if (base == NULL) return NULL;
  const uintptr_t first = (uintptr_t)base + sizeof(void *);
  void **memory = (void **)((first + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  memory[-1] = base;
  return memory;
}

LOPT_EXPORT void lopt_free(void *memory) {
  if (memory != NULL) free(((void **)memory)[-1]);
}
