// Vectors for generated code, from the vector extensions that gcc and clang share: LANES floats (vf) or int32s (vi) at a time, with
// LANES by what the compiler may use: 16 with AVX-512, 8 with AVX, 4 with SSE or NEON, 1 with -DLOPT_SCALAR or anywhere else.
// A mask is a vi whose lanes are 0 or -1. What a lane holds never depends on LANES, but for reductions across lanes.
#ifndef LOPT_VECTOR_H
#define LOPT_VECTOR_H

#include <stdint.h>

#define LOPT_INLINE static inline __attribute__((always_inline))
// For what is seldom called: stays out of the callers.
#define LOPT_COLD static __attribute__((noinline, cold, unused))
#define LOPT_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

// Whether the compiler has a builtin. Compilers without __has_builtin are gcc 9, which has those of its targets.
#ifdef __has_builtin
#define LOPT_HAS(builtin) __has_builtin(builtin)
#else
#define LOPT_HAS(builtin) LOPT_HAS_##builtin
#define LOPT_HAS___builtin_ia32_vfmaddps512_mask 1
#define LOPT_HAS___builtin_ia32_sqrtps512_mask 1
#define LOPT_HAS___builtin_ia32_rndscaleps_mask 1
#define LOPT_HAS___builtin_ia32_scalefps512_mask 1
#define LOPT_HAS___builtin_ia32_maxps512_mask 1
#define LOPT_HAS___builtin_ia32_pmovzxbd512_mask 1
#define LOPT_HAS___builtin_ia32_vfmaddps256 1
#define LOPT_HAS___builtin_ia32_sqrtps256 1
#define LOPT_HAS___builtin_ia32_roundps256 1
#define LOPT_HAS___builtin_ia32_maxps256 1
#define LOPT_HAS___builtin_ia32_pmovzxbd256 1
#define LOPT_HAS___builtin_ia32_vfmaddps 1
#define LOPT_HAS___builtin_ia32_sqrtps 1
#define LOPT_HAS___builtin_ia32_roundps 1
#define LOPT_HAS___builtin_ia32_maxps 1
#endif

#if defined(LOPT_SCALAR)
#define LANES 1
#elif defined(__AVX512F__) && defined(__AVX512DQ__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#elif defined(__SSE2__) || defined(__ARM_NEON)
#define LANES 4
#else
#define LANES 1
#endif

// LOPT_EACH(F) is F(0), F(1), ... for every lane.
#if LANES == 16
#define LOPT_EACH(F) F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15)
#elif LANES == 8
#define LOPT_EACH(F) F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7)
#elif LANES == 4
#define LOPT_EACH(F) F(0), F(1), F(2), F(3)
#else
#define LOPT_EACH(F) F(0)
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t lopt_vu __attribute__((vector_size(4 * LANES)));
typedef double lopt_vd __attribute__((vector_size(8 * LANES)));
typedef uint8_t lopt_vb __attribute__((vector_size(LANES)));
// The same anywhere in memory.
typedef float lopt_vf_memory __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t lopt_vi_memory __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint8_t lopt_vb_memory __attribute__((vector_size(LANES), aligned(1), may_alias));

// ---- Splats and counts

LOPT_INLINE vf vf_splat(float x) {
#define LOPT_LANE(i) x
  return (vf){LOPT_EACH(LOPT_LANE)};
}
LOPT_INLINE vi vi_splat(int32_t x) {
  return (vi){LOPT_EACH(LOPT_LANE)};
#undef LOPT_LANE
}
// 0, 1, 2, ...
LOPT_INLINE vi vi_iota(void) {
#define LOPT_LANE(i) i
  return (vi){LOPT_EACH(LOPT_LANE)};
#undef LOPT_LANE
}

// ---- Memory. Pointers need the alignment of an element; strides are in elements, of either sign.

LOPT_INLINE vf vf_load(const float *p) { return (vf)*(const lopt_vf_memory *)p; }
LOPT_INLINE void vf_store(float *p, vf x) { *(lopt_vf_memory *)p = (lopt_vf_memory)x; }
LOPT_INLINE vi vi_load(const int32_t *p) { return (vi)*(const lopt_vi_memory *)p; }
LOPT_INLINE void vi_store(int32_t *p, vi x) { *(lopt_vi_memory *)p = (lopt_vi_memory)x; }

#define LOPT_LANE(i) p[(i) * stride]
LOPT_INLINE vf vf_load_strided(const float *p, int64_t stride) { return (vf){LOPT_EACH(LOPT_LANE)}; }
LOPT_INLINE vi vi_load_strided(const int32_t *p, int64_t stride) { return (vi){LOPT_EACH(LOPT_LANE)}; }
#undef LOPT_LANE
#define LOPT_LANE(i) p[at[i]]
LOPT_INLINE vf vf_load_indexed(const float *p, vi at) { return (vf){LOPT_EACH(LOPT_LANE)}; }
LOPT_INLINE vi vi_load_indexed(const int32_t *p, vi at) { return (vi){LOPT_EACH(LOPT_LANE)}; }
#undef LOPT_LANE

#define LOPT_LANE(i) (void)(p[(i) * stride] = x[i])
LOPT_INLINE void vf_store_strided(float *p, int64_t stride, vf x) { LOPT_EACH(LOPT_LANE); }
LOPT_INLINE void vi_store_strided(int32_t *p, int64_t stride, vi x) { LOPT_EACH(LOPT_LANE); }
#undef LOPT_LANE
// Of lanes with the same index the last one stays.
#define LOPT_LANE(i) (void)(p[at[i]] = x[i])
LOPT_INLINE void vf_store_indexed(float *p, vi at, vf x) { LOPT_EACH(LOPT_LANE); }
LOPT_INLINE void vi_store_indexed(int32_t *p, vi at, vi x) { LOPT_EACH(LOPT_LANE); }
#undef LOPT_LANE

// A mask from bools of a byte each: any byte but 0 is true.
LOPT_INLINE vi vb_load(const uint8_t *p) {
#if LANES == 16 && LOPT_HAS(__builtin_ia32_pmovzxbd512_mask) && !defined(__clang__)
  typedef char bytes __attribute__((vector_size(16)));
  const vi x = (vi)__builtin_ia32_pmovzxbd512_mask((bytes)(lopt_vb)*(const lopt_vb_memory *)p, (vi){0}, (unsigned short)-1);
#elif LANES == 8 && defined(__AVX2__) && LOPT_HAS(__builtin_ia32_pmovzxbd256) && !defined(__clang__)
  typedef char bytes __attribute__((vector_size(16)));
  typedef int64_t pair __attribute__((vector_size(16)));
  int64_t eight;
  __builtin_memcpy(&eight, p, 8);
  const vi x = (vi)__builtin_ia32_pmovzxbd256((bytes)(pair){eight, 0});
#else
  const vi x = __builtin_convertvector((lopt_vb)*(const lopt_vb_memory *)p, vi);
#endif
  return (vi)(x != 0);
}
LOPT_INLINE vi vb_load_strided(const uint8_t *p, int64_t stride) {
#define LOPT_LANE(i) p[(i) * stride]
  return (vi)((vi){LOPT_EACH(LOPT_LANE)} != 0);
#undef LOPT_LANE
}
LOPT_INLINE vi vb_load_indexed(const uint8_t *p, vi at) {
#define LOPT_LANE(i) p[at[i]]
  return (vi)((vi){LOPT_EACH(LOPT_LANE)} != 0);
#undef LOPT_LANE
}
// Writes 0 or 1.
LOPT_INLINE void vb_store(uint8_t *p, vi mask) {
  *(lopt_vb_memory *)p = (lopt_vb_memory)__builtin_convertvector((lopt_vu)(mask & 1), lopt_vb);
}
LOPT_INLINE void vb_store_strided(uint8_t *p, int64_t stride, vi mask) {
#define LOPT_LANE(i) (void)(p[(i) * stride] = (uint8_t)(mask[i] & 1))
  LOPT_EACH(LOPT_LANE);
#undef LOPT_LANE
}
LOPT_INLINE void vb_store_indexed(uint8_t *p, vi at, vi mask) {
#define LOPT_LANE(i) (void)(p[at[i]] = (uint8_t)(mask[i] & 1))
  LOPT_EACH(LOPT_LANE);
#undef LOPT_LANE
}

// ---- Choice

// a where the mask is -1, b where it is 0. Compilers see a blend in it.
LOPT_INLINE vi vi_select(vi mask, vi a, vi b) { return (mask & a) | (~mask & b); }
LOPT_INLINE vf vf_select(vi mask, vf a, vf b) { return (vf)vi_select(mask, (vi)a, (vi)b); }

LOPT_INLINE int vm_any(vi mask) {
#if LANES == 16 && !defined(__clang__)
  return __builtin_ia32_cvtd2mask512(mask) != 0;
#elif LANES == 8
  return __builtin_ia32_movmskps256((vf)mask) != 0;
#elif LANES == 4 && defined(__SSE2__)
  return __builtin_ia32_movmskps((vf)mask) != 0;
#else
  int32_t any = 0;
#define LOPT_LANE(i) (void)(any |= mask[i])
  LOPT_EACH(LOPT_LANE);
#undef LOPT_LANE
  return any != 0;
#endif
}
LOPT_INLINE int vm_all(vi mask) { return !vm_any(~mask); }

// ---- Arithmetic that the language has no operator for

#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF)
#define LOPT_HAS_FMA 1
#else
#define LOPT_HAS_FMA 0
#endif

// a * b + c rounded once, whatever the compiler makes of products and sums elsewhere. Without the instruction: in doubles, which hold
// the product exactly (of the sum's two roundings the second decides, but for one case in 2^28).
LOPT_INLINE vf vf_fma(vf a, vf b, vf c) {
#if !LOPT_HAS_FMA
  const lopt_vd product = __builtin_convertvector(a, lopt_vd) * __builtin_convertvector(b, lopt_vd);
  return __builtin_convertvector(product + __builtin_convertvector(c, lopt_vd), vf);
#elif LOPT_HAS(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#elif LANES == 16 && LOPT_HAS(__builtin_ia32_vfmaddps512_mask)
  return __builtin_ia32_vfmaddps512_mask(a, b, c, (unsigned short)-1, 4);
#elif LANES == 8 && LOPT_HAS(__builtin_ia32_vfmaddps256)
  return __builtin_ia32_vfmaddps256(a, b, c);
#elif LANES == 4 && defined(__SSE2__) && LOPT_HAS(__builtin_ia32_vfmaddps)
  return __builtin_ia32_vfmaddps(a, b, c);
#else
#define LOPT_LANE(i) __builtin_fmaf(a[i], b[i], c[i])
  return (vf){LOPT_EACH(LOPT_LANE)};
#undef LOPT_LANE
#endif
}

// Correctly rounded.
LOPT_INLINE vf vf_sqrt(vf x) {
#if LOPT_HAS(__builtin_elementwise_sqrt)
  return __builtin_elementwise_sqrt(x);
#elif LANES == 16 && LOPT_HAS(__builtin_ia32_sqrtps512_mask)
  return __builtin_ia32_sqrtps512_mask(x, x, (unsigned short)-1, 4);
#elif LANES == 8 && LOPT_HAS(__builtin_ia32_sqrtps256)
  return __builtin_ia32_sqrtps256(x);
#elif LANES == 4 && defined(__SSE2__) && LOPT_HAS(__builtin_ia32_sqrtps)
  return __builtin_ia32_sqrtps(x);
#else
#define LOPT_LANE(i) __builtin_sqrtf(x[i])
  return (vf){LOPT_EACH(LOPT_LANE)};
#undef LOPT_LANE
#endif
}

// a > b ? a : b and a < b ? a : b: b where either is NaN, and of two zeros.
LOPT_INLINE vf lopt_larger(vf a, vf b) {
#if LANES == 16 && LOPT_HAS(__builtin_ia32_maxps512_mask)
  return __builtin_ia32_maxps512_mask(a, b, a, (unsigned short)-1, 4);
#elif LANES == 8 && LOPT_HAS(__builtin_ia32_maxps256)
  return __builtin_ia32_maxps256(a, b);
#elif LANES == 4 && defined(__SSE2__) && LOPT_HAS(__builtin_ia32_maxps)
  return __builtin_ia32_maxps(a, b);
#else
  return vf_select((vi)(a > b), a, b);
#endif
}
LOPT_INLINE vf lopt_smaller(vf a, vf b) {
#if LANES == 16 && LOPT_HAS(__builtin_ia32_maxps512_mask)
  return __builtin_ia32_minps512_mask(a, b, a, (unsigned short)-1, 4);
#elif LANES == 8 && LOPT_HAS(__builtin_ia32_maxps256)
  return __builtin_ia32_minps256(a, b);
#elif LANES == 4 && defined(__SSE2__) && LOPT_HAS(__builtin_ia32_maxps)
  return __builtin_ia32_minps(a, b);
#else
  return vf_select((vi)(a < b), a, b);
#endif
}

// ---- Conversions

LOPT_INLINE vf vf_of_vi(vi x) { return __builtin_convertvector(x, vf); }
// Towards zero. What is too large for an int32 gives the nearest there is, NaN gives 0.
LOPT_INLINE vi vi_of_vf(vf x) {
  const vi high = (vi)(x >= 0x1p31f);
  // Also takes NaN and what is too large to where conversion is defined.
  const vi inside = (vi)(x >= -0x1p31f) & ~high;
  const vi whole = __builtin_convertvector(vf_select(inside, x, (vf){0}), vi);
  const vi low = (vi)(x < -0x1p31f);
  return vi_select(high, vi_splat(INT32_MAX), vi_select(low, vi_splat(INT32_MIN), whole));
}
LOPT_INLINE float sf_of_si(int32_t x) { return (float)x; }
LOPT_INLINE int32_t si_of_sf(float x) {
  if (x >= 0x1p31f) return INT32_MAX;
  return x >= -0x1p31f ? (int32_t)x : x < 0 ? INT32_MIN : 0;
}
// 1 and 0 of a mask.
LOPT_INLINE vf vf_of_vm(vi mask) { return (vf)(mask & (vi)vf_splat(1.0f)); }
LOPT_INLINE vi vi_of_vm(vi mask) { return mask & 1; }
// Whether not zero; NaN is not.
LOPT_INLINE vi vm_of_vf(vf x) { return (vi)(x != 0.0f); }
LOPT_INLINE vi vm_of_vi(vi x) { return (vi)(x != 0); }

// ---- Reductions across lanes in one fixed order: the upper half joins the lower half until one lane is left.

#if LOPT_HAS(__builtin_shufflevector)
#define LOPT_SHUFFLE(x, ...) __builtin_shufflevector(x, x, __VA_ARGS__)
#else
#define LOPT_SHUFFLE(x, ...) __builtin_shuffle(x, (vi){__VA_ARGS__})
#endif
#if LANES == 16
#define LOPT_FOLD(x, join)                                                            \
  x = join(x, LOPT_SHUFFLE(x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)); \
  x = join(x, LOPT_SHUFFLE(x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)); \
  x = join(x, LOPT_SHUFFLE(x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)); \
  x = join(x, LOPT_SHUFFLE(x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
#elif LANES == 8
#define LOPT_FOLD(x, join)                              \
  x = join(x, LOPT_SHUFFLE(x, 4, 5, 6, 7, 0, 1, 2, 3)); \
  x = join(x, LOPT_SHUFFLE(x, 2, 3, 0, 1, 6, 7, 4, 5)); \
  x = join(x, LOPT_SHUFFLE(x, 1, 0, 3, 2, 5, 4, 7, 6));
#elif LANES == 4
#define LOPT_FOLD(x, join)                  \
  x = join(x, LOPT_SHUFFLE(x, 2, 3, 0, 1)); \
  x = join(x, LOPT_SHUFFLE(x, 1, 0, 3, 2));
#else
#define LOPT_FOLD(x, join)
#endif

LOPT_INLINE vf vf_add(vf a, vf b) { return a + b; }
LOPT_INLINE vf vf_mul(vf a, vf b) { return a * b; }
// NaN where either is; of two zeros b.
LOPT_INLINE vf vf_max(vf a, vf b) { return vf_select((vi)(a == a), lopt_larger(a, b), a); }
LOPT_INLINE vf vf_min(vf a, vf b) { return vf_select((vi)(a == a), lopt_smaller(a, b), a); }
// int32 wraps round.
LOPT_INLINE vi vi_add(vi a, vi b) { return (vi)((lopt_vu)a + (lopt_vu)b); }
LOPT_INLINE vi vi_mul(vi a, vi b) { return (vi)((lopt_vu)a * (lopt_vu)b); }
LOPT_INLINE vi vi_max(vi a, vi b) { return vi_select((vi)(a > b), a, b); }
LOPT_INLINE vi vi_min(vi a, vi b) { return vi_select((vi)(a < b), a, b); }

#define LOPT_REDUCTION(name, vector, element, join) \
  LOPT_INLINE element name(vector x) {              \
    LOPT_FOLD(x, join)                              \
    return x[0];                                    \
  }
LOPT_REDUCTION(vf_reduce_sum, vf, float, vf_add)
LOPT_REDUCTION(vf_reduce_prod, vf, float, vf_mul)
LOPT_REDUCTION(vf_reduce_max, vf, float, vf_max)
LOPT_REDUCTION(vf_reduce_min, vf, float, vf_min)
LOPT_REDUCTION(vi_reduce_sum, vi, int32_t, vi_add)
LOPT_REDUCTION(vi_reduce_prod, vi, int32_t, vi_mul)
LOPT_REDUCTION(vi_reduce_max, vi, int32_t, vi_max)
LOPT_REDUCTION(vi_reduce_min, vi, int32_t, vi_min)
#undef LOPT_REDUCTION

#endif
