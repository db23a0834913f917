// How generated programs are called: once for all particles of a run, each of which one worker of a pool takes from start to end.
#ifndef LOPT_PARTICLES_H
#define LOPT_PARTICLES_H

#include "pool.h"

typedef struct {
  void *const *ports;
  char *arenas;
  int64_t arena_bytes;
} lopt_particles;

// Defines the task of one particle and the exported function.
// ports: [particle, port] pointers to first elements; arenas: arena_bytes for each worker of the pool.
#define LOPT_PARTICLES(particle, port_count)                                                                          \
  static void particle_task(void *context, int64_t index, int64_t worker) {                                           \
    const lopt_particles *all = (const lopt_particles *)context;                                                      \
    particle(all->ports + index * (port_count), all->arenas + worker * all->arena_bytes);                             \
  }                                                                                                                   \
  LOPT_EXPORT void lopt_run_particles(lopt_pool *pool, void *const *ports, char *arenas, int64_t arena_bytes,         \
                                      int64_t count) {                                                                \
    lopt_particles all = {ports, arenas, arena_bytes};                                                                \
    lopt_pool_run(pool, particle_task, &all, count);                                                                  \
  }

#endif
