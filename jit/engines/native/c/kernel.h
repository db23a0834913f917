// What generated kernels use besides vectors and functions: the last, incomplete vector of a row. `n` lanes of it count, a constant.
#ifndef LOPT_KERNEL_H
#define LOPT_KERNEL_H

#include "math.h"

#include <stddef.h>

LOPT_INLINE vf vf_load_part(const float *p, int n) {
  vf x = {0};
  __builtin_memcpy(&x, p, (size_t)n * 4);
  return x;
}
LOPT_INLINE vi vi_load_part(const int32_t *p, int n) {
  vi x = {0};
  __builtin_memcpy(&x, p, (size_t)n * 4);
  return x;
}
LOPT_INLINE void vf_store_part(float *p, vf x, int n) { __builtin_memcpy(p, &x, (size_t)n * 4); }
LOPT_INLINE void vi_store_part(int32_t *p, vi x, int n) { __builtin_memcpy(p, &x, (size_t)n * 4); }
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
