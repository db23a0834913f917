// What generated kernels use besides vectors and functions: the last, incomplete vector of a row. `n` lanes of it count, a constant.
#ifndef LOPT_KERNEL_H
#define LOPT_KERNEL_H

#include "first-lanes.h"
#include "math.h"

// Bits of int32s, moved as floats.
typedef float lopt_float_bits __attribute__((may_alias));

LOPT_INLINE vf vf_load_part(const float *p, int n) { return lopt_load_first(p, lopt_first_lanes(n)); }
LOPT_INLINE vi vi_load_part(const int32_t *p, int n) {
  return (vi)lopt_load_first((const lopt_float_bits *)p, lopt_first_lanes(n));
}
LOPT_INLINE void vf_store_part(float *p, vf x, int n) { lopt_store_first(p, x, lopt_first_lanes(n)); }
LOPT_INLINE void vi_store_part(int32_t *p, vi x, int n) {
  lopt_store_first((lopt_float_bits *)p, (vf)x, lopt_first_lanes(n));
}
LOPT_INLINE vi vb_load_part(const uint8_t *p, int n) {
  vi x = {0};
  for (int i = 0; i < n; i++) x[i] = -(p[i] != 0);
  return x;
}
LOPT_INLINE void vb_store_part(uint8_t *p, vi x, int n) {
  for (int i = 0; i < n; i++) p[i] = (uint8_t)(x[i] & 1);
}
LOPT_INLINE vf vf_load_strided_part(const float *p, int64_t stride, int n) {
  vf x = {0};
  for (int i = 0; i < n; i++) x[i] = p[i * stride];
  return x;
}
LOPT_INLINE vi vi_load_strided_part(const int32_t *p, int64_t stride, int n) {
  vi x = {0};
  for (int i = 0; i < n; i++) x[i] = p[i * stride];
  return x;
}
LOPT_INLINE vi vb_load_strided_part(const uint8_t *p, int64_t stride, int n) {
  vi x = {0};
  for (int i = 0; i < n; i++) x[i] = -(p[i * stride] != 0);
  return x;
}
LOPT_INLINE void vf_store_strided_part(float *p, int64_t stride, vf x, int n) {
  for (int i = 0; i < n; i++) p[i * stride] = x[i];
}
LOPT_INLINE void vi_store_strided_part(int32_t *p, int64_t stride, vi x, int n) {
  for (int i = 0; i < n; i++) p[i * stride] = x[i];
}
LOPT_INLINE void vb_store_strided_part(uint8_t *p, int64_t stride, vi x, int n) {
  for (int i = 0; i < n; i++) p[i * stride] = (uint8_t)(x[i] & 1);
}
LOPT_INLINE vf vf_load_indexed_part(const float *p, vi at, int n) {
  vf x = {0};
  for (int i = 0; i < n; i++) x[i] = p[at[i]];
  return x;
}
LOPT_INLINE vi vi_load_indexed_part(const int32_t *p, vi at, int n) {
  vi x = {0};
  for (int i = 0; i < n; i++) x[i] = p[at[i]];
  return x;
}
LOPT_INLINE vi vb_load_indexed_part(const uint8_t *p, vi at, int n) {
  vi x = {0};
  for (int i = 0; i < n; i++) x[i] = -(p[at[i]] != 0);
  return x;
}
LOPT_INLINE void vf_store_indexed_part(float *p, vi at, vf x, int n) {
  for (int i = 0; i < n; i++) p[at[i]] = x[i];
}
LOPT_INLINE void vi_store_indexed_part(int32_t *p, vi at, vi x, int n) {
  for (int i = 0; i < n; i++) p[at[i]] = x[i];
}
LOPT_INLINE void vb_store_indexed_part(uint8_t *p, vi at, vi x, int n) {
  for (int i = 0; i < n; i++) p[at[i]] = (uint8_t)(x[i] & 1);
}

#endif
