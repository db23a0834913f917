// The first lanes of a vector: the last, incomplete part of a row. What lies beyond in memory is neither read nor written.
#ifndef LOPT_FIRST_LANES_H
#define LOPT_FIRST_LANES_H

#include "vector.h"

// Four floats: what transposes are made of, and halves of wider vectors.
typedef float lopt_four __attribute__((vector_size(16)));
typedef float lopt_four_memory __attribute__((vector_size(16), aligned(4), may_alias));

#if LANES == 16
typedef unsigned short lopt_first;
LOPT_INLINE lopt_first lopt_first_lanes(long count) { return (lopt_first)((1u << count) - 1u); }
LOPT_INLINE vf lopt_load_first(const float *p, lopt_first first) {
  return (vf)__builtin_ia32_loadups512_mask((const void *)p, (vf){0}, first);
}
LOPT_INLINE void lopt_store_first(float *p, vf x, lopt_first first) {
  __builtin_ia32_storeups512_mask((void *)p, x, first);
}
#elif LANES == 8
typedef struct {
  vi mask;
  long count;
} lopt_first;
LOPT_INLINE lopt_first lopt_first_lanes(long count) {
  return (lopt_first){(vi)(vi_iota() < vi_splat((int32_t)count)), count};
}
LOPT_INLINE vf lopt_load_first(const float *p, lopt_first first) {
  return (vf)__builtin_ia32_maskloadps256((const void *)p, first.mask);
}
// In pieces: some processors take 20 cycles for a masked store.
LOPT_INLINE void lopt_store_first(float *p, vf x, lopt_first first) {
  long at = 0;
  if (first.count == LANES) return vf_store(p, x);
  if (first.count & 4) {
    *(lopt_four_memory *)p = (lopt_four_memory){x[0], x[1], x[2], x[3]};
    x = (vf){x[4], x[5], x[6], x[7]};
    at = 4;
  }
  if (first.count & 2) {
    p[at] = x[0];
    p[at + 1] = x[1];
    x = (vf){x[2], x[3]};
    at += 2;
  }
  if (first.count & 1) p[at] = x[0];
}
#else
// LANES is 4 or 1; at least one lane.
typedef long lopt_first;
LOPT_INLINE lopt_first lopt_first_lanes(long count) { return count; }
LOPT_INLINE vf lopt_load_first(const float *p, lopt_first first) {
  if (first == LANES) return vf_load(p);
  vf x = {p[0]};
#if LANES > 1
  if (first > 1) x[1] = p[1];
  if (first > 2) x[2] = p[2];
#endif
  return x;
}
LOPT_INLINE void lopt_store_first(float *p, vf x, lopt_first first) {
  if (first == LANES) return vf_store(p, x);
  p[0] = x[0];
#if LANES > 1
  if (first > 1) p[1] = x[1];
  if (first > 2) p[2] = x[2];
#endif
}
#endif

#endif
