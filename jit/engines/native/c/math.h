// The elementwise functions of jit/graph/graph.ts on vectors (vf_*, float32; vi_*, int32; vm_*, masks) and on one element (sf_*, si_*,
// sm_*), each named as there. One element gives the bits of a vector's lane: it is computed as one, or by an operation that is exact or
// correctly rounded. So results depend neither on where a value was placed nor on LANES.
//
// Errors over all float32 arguments, subnormal results included: at most 2 units in the last place for exp, expm1, log, log1p, tanh, sigmoid,
// erf, sin, cos, pow and rsqrt, 4 for the rest; add, sub, mul, div, sqrt and reciprocal are correctly rounded. Infinities, zeros and NaN
// as in C's functions of the same name.
//
// Every sum of a product is written as vf_fma and no function ends in a product, so that -ffp-contract neither changes them nor joins
// them to what the caller does.
//
// Sources of the methods: Muller, Elementary Functions: Algorithms and Implementation (3rd ed., 2016), chapters 4 and 11; Cody and Waite,
// Software Manual for the Elementary Functions (1980), for the reductions; Payne and Hanek, Radian reduction for trigonometric functions
// (SIGNUM Newsletter 18, 1983); Dekker, A floating-point technique for extending the available precision (Numer. Math. 18, 1971). The
// polynomials were fitted for this file by the Remez exchange, their coefficients rounded to float32 one after the other; each states the
// largest error that is left, relative to the function.
#ifndef LOPT_MATH_H
#define LOPT_MATH_H

#include "vector.h"

#define LOPT_INFINITY (__builtin_inff())
#define LOPT_NAN (__builtin_nanf(""))

// ---- Pieces

LOPT_INLINE vf lopt_next(vf p, vf x, float c) { return vf_fma(p, x, vf_splat(c)); }
LOPT_INLINE vi lopt_sign_bit(vf x) { return (vi)x & INT32_MIN; }
LOPT_INLINE vf vf_abs(vf x) { return (vf)((vi)x & INT32_MAX); }
LOPT_INLINE vf vf_neg(vf x) { return (vf)((vi)x ^ INT32_MIN); }
// The magnitude of a with the sign of b.
LOPT_INLINE vf lopt_copy_sign(vf a, vf b) { return (vf)(((vi)a & INT32_MAX) | lopt_sign_bit(b)); }
// a * b, which no addition of the caller contracts.
LOPT_INLINE vf lopt_times(vf a, vf b) { return vf_fma(a, b, vf_splat(-0.0f)); }
// Within bounds; NaN stays.
LOPT_INLINE vf lopt_clamp(vf x, float low, float high) {
  return lopt_smaller(vf_splat(high), lopt_larger(vf_splat(low), x));
}

// Added to a float below 2^22, leaves the nearest integer in the low bits: as a float after subtraction, as an int32 in the bits.
#define LOPT_MAGIC 0x1.8p23f
#define LOPT_MAGIC_BITS 0x4b400000
LOPT_INLINE vi lopt_integer(vf magic) { return (vi)((lopt_vu)magic - LOPT_MAGIC_BITS); }
// 2^n for n from -126 to 127.
LOPT_INLINE vf lopt_power_of_two(vi n) { return (vf)(((lopt_vu)n + 127) << 23); }

// p * 2^n rounded once, for p from 0.5 to 2, |n| up to 250 and magic = n + LOPT_MAGIC.
LOPT_INLINE vf lopt_scale(vf p, vf magic) {
#if LANES == 16 && LOPT_HAS(__builtin_ia32_scalefps512_mask)
  return __builtin_ia32_scalefps512_mask(p, magic - LOPT_MAGIC, p, (unsigned short)-1, 4);
#else
  const vi n = lopt_integer(magic);
  const vi half = n >> 1;
  return lopt_times(p * lopt_power_of_two(half), lopt_power_of_two((vi)((lopt_vu)n - (lopt_vu)half)));
#endif
}

// ---- Exponentials

// x = n ln 2 + r with |r| <= ln(2) / 2, for |x| up to 130; magic = n + LOPT_MAGIC. The first step is exact.
typedef struct {
  vf magic, r;
} lopt_reduced;
LOPT_INLINE lopt_reduced lopt_reduce_exp(vf x) {
  const vf magic = vf_fma(x, vf_splat(0x1.715476p0f), vf_splat(LOPT_MAGIC));
  const vf n = magic - LOPT_MAGIC;
  const vf r = vf_fma(n, vf_splat(-0x1.62e43p-1f), x);
  return (lopt_reduced){magic, vf_fma(n, vf_splat(0x1.05c61p-29f), r)};
}

// exp(r) for |r| <= ln(2) / 2, degree 6: 2^-28.0.
LOPT_INLINE vf lopt_exp_kernel(vf r) {
  vf p = vf_splat(0x1.6a339p-10f);
  p = lopt_next(p, r, 0x1.123d0ep-7f);
  p = lopt_next(p, r, 0x1.5558a8p-5f);
  p = lopt_next(p, r, 0x1.55548cp-3f);
  p = lopt_next(p, r, 0x1.fffffcp-2f);
  p = lopt_next(p, r, 1.0f);
  return lopt_next(p, r, 1.0f);
}

// exp(r) - 1 for |r| <= ln(2) / 2, degree 7: 2^-30.9.
LOPT_INLINE vf lopt_expm1_kernel(vf r) {
  vf p = vf_splat(0x1.9c66d4p-13f);
  p = lopt_next(p, r, 0x1.6d4d2p-10f);
  p = lopt_next(p, r, 0x1.1113aap-7f);
  p = lopt_next(p, r, 0x1.5554eap-5f);
  p = lopt_next(p, r, 0x1.555554p-3f);
  p = lopt_next(p, r, 0.5f);
  return vf_fma(r * r, p, r);
}

// exp(x) / 2^down for x from -130 to 130.
LOPT_INLINE vf lopt_exp_scaled(vf x, float down) {
  const lopt_reduced reduced = lopt_reduce_exp(x);
  return lopt_scale(lopt_exp_kernel(reduced.r), reduced.magic - down);
}

LOPT_INLINE vf vf_exp(vf x) { return lopt_exp_scaled(lopt_clamp(x, -104.0f, 89.0f), 0.0f); }

LOPT_INLINE vf vf_expm1(vf x) {
  const lopt_reduced reduced = lopt_reduce_exp(lopt_clamp(x, -18.0f, 89.0f));
  const vi n = lopt_integer(reduced.magic);
  // 2^128 is no float: from there on half of it, doubled in the end.
  const vi over = n >> 7;
  const vf scale = lopt_power_of_two((vi)((lopt_vu)n - (lopt_vu)over));
  const vf one = lopt_power_of_two((vi)(0 - (lopt_vu)over));
  const vf y = vf_fma(scale, lopt_expm1_kernel(reduced.r), scale - one);
  return lopt_copy_sign(y * lopt_power_of_two(over), x);
}

// Below 0.6: x + x^3 P(x^2), degree 4 in x^2: 2^-28.4. Above: 1 - 2 / (exp(2 x) + 1), which rounds to 1 from 9.02 on.
LOPT_INLINE vf vf_tanh(vf x) {
  const vf a = lopt_smaller(vf_splat(9.25f), vf_abs(x));
  const vf square = a * a;
  vf p = vf_splat(-0x1.828776p-8f);
  p = lopt_next(p, square, 0x1.54c3c2p-6f);
  p = lopt_next(p, square, -0x1.b89abap-5f);
  p = lopt_next(p, square, 0x1.1109bep-3f);
  p = lopt_next(p, square, -0x1.55553ep-2f);
  const vf small = vf_fma(a * square, p, a);
  const lopt_reduced reduced = lopt_reduce_exp(a + a);
  const vf scale = lopt_power_of_two(lopt_integer(reduced.magic));
  const vf large = 1.0f - 2.0f / vf_fma(scale, lopt_exp_kernel(reduced.r), vf_splat(1.0f));
  return lopt_copy_sign(vf_select((vi)(a < 0.6f), small, large), x);
}

// 1 / (1 + e) or e / (1 + e) with e = exp(-|x|): neither overflows, and small results keep their digits. What 1 + e lost when rounded is
// given back to first order.
LOPT_INLINE vf vf_sigmoid(vf x) {
  const vf e = lopt_exp_scaled(lopt_larger(vf_splat(-104.0f), vf_neg(vf_abs(x))), 0.0f);
  const vf sum = e + 1.0f;
  const vf lost = e - (sum - 1.0f);
  const vf y = vf_select((vi)(x < 0.0f), e, vf_splat(1.0f)) / sum;
  return vf_fma(vf_neg(y), lost, y);
}

// Below 1: x + x^3 P(x^2), degree 3 in x^2: 2^-31.6.
LOPT_INLINE vf vf_sinh(vf x) {
  const vf a = vf_abs(x);
  const vf square = a * a;
  vf p = vf_splat(0x1.756c1ep-19f);
  p = lopt_next(p, square, 0x1.a022bcp-13f);
  p = lopt_next(p, square, 0x1.1110ep-7f);
  p = lopt_next(p, square, 0x1.555556p-3f);
  const vf small = vf_fma(a * square, p, a);
  const vf half = lopt_exp_scaled(lopt_smaller(vf_splat(91.0f), a), 1.0f);
  return lopt_copy_sign(vf_select((vi)(a < 1.0f), small, half - 0.25f / half), x);
}
LOPT_INLINE vf vf_cosh(vf x) {
  const vf half = lopt_exp_scaled(lopt_smaller(vf_splat(91.0f), vf_abs(x)), 1.0f);
  return half + 0.25f / half;
}

// ---- Logarithms

// x = 2^k z with z from `from` to 2 `from`, for a positive normal x; `from` is given by its bits.
#define LOPT_ROOT_HALF 0x3f3504f3
typedef struct {
  vi k;
  vf z;
} lopt_normalized;
LOPT_INLINE lopt_normalized lopt_normalize(vf x, uint32_t from) {
  const vi k = (vi)((lopt_vu)x - from) >> 23;
  return (lopt_normalized){k, (vf)((lopt_vu)x - ((lopt_vu)k << 23))};
}
// The same for a positive subnormal x too.
LOPT_INLINE lopt_normalized lopt_normalize_any(vf x, uint32_t from) {
  const vi subnormal = (vi)(x < 0x1p-126f);
  lopt_normalized parts = lopt_normalize(vf_select(subnormal, x * 0x1p24f, x), from);
  parts.k = (vi)((lopt_vu)parts.k - (lopt_vu)(subnormal & 24));
  return parts;
}

// log(1 + f) for f from sqrt(1/2) - 1 to sqrt(2) - 1, degree 10: 2^-26.7. Even and odd powers apart, which halves the wait.
LOPT_INLINE vf lopt_log_kernel(vf f) {
  const vf square = f * f;
  vf even = vf_splat(0x1.051c78p-3f);
  even = lopt_next(even, square, 0x1.22e17ap-3f);
  even = lopt_next(even, square, 0x1.99a012p-3f);
  even = lopt_next(even, square, 0x1.555554p-2f);
  vf odd = vf_splat(-0x1.375eeap-4f);
  odd = lopt_next(odd, square, -0x1.0d9f9p-3f);
  odd = lopt_next(odd, square, -0x1.547168p-3f);
  odd = lopt_next(odd, square, -0x1.00022ap-2f);
  const vf p = lopt_next(vf_fma(odd, f, even), f, -0.5f);
  return vf_fma(square, p, f);
}
// k ln 2 + log(1 + f)
LOPT_INLINE vf lopt_log_of(vi k, vf f) { return vf_fma(vf_of_vi(k), vf_splat(0x1.62e43p-1f), lopt_log_kernel(f)); }
// What a logarithm of x is where x is not positive and finite.
LOPT_INLINE vf lopt_log_limits(vf x, vf y) {
  const vf limit = vf_select((vi)(x == 0.0f), vf_splat(-LOPT_INFINITY), vf_splat(LOPT_NAN));
  return vf_select((vi)(x > 0.0f), vf_select((vi)(x == LOPT_INFINITY), x, y), limit);
}

LOPT_INLINE vf vf_log(vf x) {
  const lopt_normalized parts = lopt_normalize_any(x, LOPT_ROOT_HALF);
  return lopt_log_limits(x, lopt_log_of(parts.k, parts.z - 1.0f));
}

// log of u = 1 + x as rounded, and what rounding lost goes into f.
LOPT_INLINE vf vf_log1p(vf x) {
  const vf u = x + 1.0f;
  const vf back = u - 1.0f;
  const vf lost = (1.0f - (u - back)) + (x - back);
  const lopt_normalized parts = lopt_normalize(u, LOPT_ROOT_HALF);
  // Above 2^60 nothing of the loss is seen.
  const vf scale = lopt_power_of_two((vi)(0 - (lopt_vu)vi_min(parts.k, vi_splat(60))));
  const vf y = lopt_log_of(parts.k, vf_fma(lost, scale, parts.z - 1.0f));
  return lopt_copy_sign(lopt_log_limits(u, y), x);
}

// log(1 + exp(x)) without overflow: log(1 + e) + max(x, 0) with e = exp(-|x|); above sqrt(2) half of 1 + e is taken.
LOPT_INLINE vf vf_softplus(vf x) {
  const vf e = lopt_exp_scaled(lopt_larger(vf_splat(-104.0f), vf_neg(vf_abs(x))), 0.0f);
  const vi upper = (vi)(e > 0x1.a8279ap-2f);
  const vf f = vf_select(upper, vf_fma(e, vf_splat(0.5f), vf_splat(-0.5f)), e);
  const vf base = vf_select(upper, vf_splat(0x1.62e43p-1f), vf_splat(0.0f));
  return (lopt_log_kernel(f) + base) + lopt_larger(vf_splat(0.0f), x);
}

// log(2 x) from 2^28 on, where the square root changes nothing.
LOPT_INLINE vf vf_asinh(vf x) {
  const vf a = vf_abs(x);
  const vi large = (vi)(a > 0x1p28f);
  const vf square = a * a;
  const vf excess = a + square / (vf_sqrt(vf_fma(a, a, vf_splat(1.0f))) + 1.0f);
  const vf y = vf_log1p(vf_select(large, a, excess)) + (vf)(large & (vi)vf_splat(0x1.62e43p-1f));
  return lopt_copy_sign(y, x);
}
LOPT_INLINE vf vf_acosh(vf x) {
  const vi large = (vi)(x > 0x1p28f);
  const vf t = x - 1.0f;
  const vf excess = t + vf_sqrt(vf_fma(t, t, t + t));
  const vf y = vf_log1p(vf_select(large, x, excess)) + (vf)(large & (vi)vf_splat(0x1.62e43p-1f));
  return vf_select((vi)(x >= 1.0f), y, vf_splat(LOPT_NAN));
}
LOPT_INLINE vf vf_atanh(vf x) {
  const vf a = vf_abs(x);
  const vf y = vf_log1p((a + a) / (1.0f - a));
  return lopt_copy_sign(y * 0.5f, x);
}

// ---- Powers

LOPT_INLINE vf vf_rsqrt(vf x) { return 1.0f / vf_sqrt(x); }
LOPT_INLINE vf vf_reciprocal(vf x) { return 1.0f / x; }

// log2 of 2^k z as a sum of two floats, relative error 2^-31. z is from 0.82 to 1.64; above 1.18 three quarters of it are taken and
// log2(4 / 3), in two pieces, is added to k. With s = (z - 1) / (z + 1) in two floats it is k + (2 / ln 2) s + s^3 Q(s^2),
// Q of degree 2: 2^-36.0.
#define LOPT_POW_FROM 0x3f51eb85
typedef struct {
  vf high, low;
} lopt_pair;
LOPT_INLINE lopt_pair lopt_log2(lopt_normalized parts) {
  const vi upper = (vi)(parts.z > 1.18f);
  const vf f = vf_fma(parts.z, vf_select(upper, vf_splat(0.75f), vf_splat(1.0f)), vf_splat(-1.0f));
  const vf k = vf_of_vi(parts.k) + (vf)(upper & (vi)vf_splat(0x1.a9p-2f));
  const vf inverse = 1.0f / (f + 2.0f);
  const vf s = lopt_times(f, inverse);
  const vf minus_s = vf_neg(s);
  const vf s_low = inverse * vf_fma(minus_s, f, vf_fma(minus_s, vf_splat(2.0f), f));
  const vf square = s * s;
  vf q = vf_splat(0x1.accffap-2f);
  q = lopt_next(q, square, 0x1.27718ep-1f);
  q = lopt_next(q, square, 0x1.ec70ap-1f);
  const vf scale = vf_splat(0x1.715476p1f);
  const vf product = lopt_times(s, scale);
  const vf sum = k + product;
  // What the sum and the product lost, s_low by the derivative of all that is made of s, then the rest of 2 / ln 2 and Q.
  vf low = vf_fma(s, scale, vf_neg(product)) + ((k - sum) + product);
  low = low + (vf)(upper & (vi)vf_splat(-0x1.a39fbep-20f));
  low = vf_fma(s_low, vf_fma(square, scale, scale), low);
  low = vf_fma(s, lopt_next(q, square, 0x1.4ae0cp-25f), low);
  return (lopt_pair){sum, low};
}

// 2^(e + rest) for |e| up to 200 and |rest| up to 1. 2^r for |r| <= 0.502, degree 6: 2^-27.6.
LOPT_INLINE vf lopt_exp2(vf e, vf rest) {
  const vf magic = (e + rest) + LOPT_MAGIC;
  const vf r = (e - (magic - LOPT_MAGIC)) + rest;
  vf p = vf_splat(0x1.4837cap-13f);
  p = lopt_next(p, r, 0x1.5f3a3ap-10f);
  p = lopt_next(p, r, 0x1.3b265cp-7f);
  p = lopt_next(p, r, 0x1.c6af2ep-5f);
  p = lopt_next(p, r, 0x1.ebfbe2p-3f);
  p = lopt_next(p, r, 0x1.62e43p-1f);
  return lopt_scale(lopt_next(p, r, 1.0f), magic);
}
// What y log lost, with e = y log.high as rounded.
LOPT_INLINE vf lopt_pow_rest(lopt_pair log, vf y, vf e) {
  return vf_fma(y, log.low, vf_fma(y, log.high, vf_neg(e)));
}

LOPT_INLINE vf vf_round(vf x);
// Every case of pow.
LOPT_COLD vf lopt_pow_any(vf x, vf y) {
  const vf a = vf_abs(x);
  lopt_pair log = lopt_log2(lopt_normalize_any(a, LOPT_POW_FROM));
  log.high = vf_select((vi)(a == 0.0f), vf_splat(-LOPT_INFINITY), vf_select((vi)(a < LOPT_INFINITY), log.high, a));
  const vf e = lopt_times(y, log.high);
  // From 200 on e decides alone; the rest may be NaN there.
  const vf rest = vf_select((vi)(vf_abs(e) < 200.0f), lopt_pow_rest(log, y, e), vf_splat(0.0f));
  const vi one = (vi)(a == 1.0f) | (vi)(y == 0.0f);
  const vf magnitude = vf_select(one, vf_splat(1.0f), lopt_exp2(lopt_clamp(e, -200.0f, 200.0f), rest));
  const vi whole = (vi)(vf_round(y) == y);
  const vf half = y * 0.5f;
  const vi odd = whole & (vi)(vf_round(half) != half);
  const vf signed_power = (vf)((vi)magnitude | (lopt_sign_bit(x) & odd));
  const vi undefined = (vi)(x < 0.0f) & (vi)(a < LOPT_INFINITY) & ~whole;
  return vf_select(undefined, vf_splat(LOPT_NAN), signed_power);
}

// Positive normal x and powers within bounds in line; a vector with any other lane takes the long way, on which the same lanes give the
// same bits.
LOPT_INLINE vf vf_pow(vf x, vf y) {
  const lopt_pair log = lopt_log2(lopt_normalize(x, LOPT_POW_FROM));
  const vf e = lopt_times(y, log.high);
  const vi plain = (vi)(x >= 0x1p-126f) & (vi)(x < LOPT_INFINITY) & (vi)(vf_abs(e) < 200.0f);
  if (LOPT_UNLIKELY(!vm_all(plain))) return lopt_pow_any(x, y);
  return lopt_exp2(e, lopt_pow_rest(log, y, e));
}

// ---- erf

// Below 1: x + x P(x^2), degree 6 in x^2: 2^-29.4. From 1 to 4: 1 - exp(Q(x)), degree 6: 2^-29.8.
LOPT_INLINE vf vf_erf(vf x) {
  const vf a = lopt_smaller(vf_splat(4.0f), vf_abs(x));
  const vf square = a * a;
  vf p = vf_splat(0x1.4771fcp-14f);
  p = lopt_next(p, square, -0x1.a3515ep-11f);
  p = lopt_next(p, square, 0x1.53f224p-8f);
  p = lopt_next(p, square, -0x1.b7f71ap-6f);
  p = lopt_next(p, square, 0x1.ce2ce6p-4f);
  p = lopt_next(p, square, -0x1.81273ep-2f);
  p = lopt_next(p, square, 0x1.06eba8p-3f);
  vf q = vf_splat(0x1.86db7cp-13f);
  q = lopt_next(q, a, -0x1.8259f6p-9f);
  q = lopt_next(q, a, 0x1.65cb0ep-6f);
  q = lopt_next(q, a, -0x1.a65318p-4f);
  q = lopt_next(q, a, -0x1.46baf0p-1f);
  q = lopt_next(q, a, -0x1.2088eap0f);
  q = lopt_next(q, a, -0x1.661d94p-12f);
  const lopt_reduced reduced = lopt_reduce_exp(q);
  const vf scale = lopt_power_of_two(lopt_integer(reduced.magic));
  const vf large = vf_fma(vf_neg(scale), lopt_exp_kernel(reduced.r), vf_splat(1.0f));
  return lopt_copy_sign(vf_select((vi)(a < 1.0f), vf_fma(a, p, a), large), x);
}

// ---- Trigonometry

// Above 2^16 three pieces of pi / 2 are not enough. 2 / pi in binary has the digits below; x = m 2^e, and of m 2^e 2 / pi modulo 4
// (quarter turns) 64 bits are computed from the 96 digits that matter. For every lane that needs it.
LOPT_COLD void lopt_reduce_huge(const vf *x, vf *r, vf *magic) {
  static const uint32_t digits[] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                    0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};
  for (int lane = 0; lane < LANES; lane += 1) {
    const float value = (*x)[lane];
    const vi bits = (vi)*x;
    const int exponent = (bits[lane] >> 23 & 255) - 150;
    if (!(__builtin_fabsf(value) > 0x1p16f) || exponent > 104) continue;
    const uint32_t m = ((uint32_t)bits[lane] & 0x7fffff) | 0x800000;
    // The first digit needed has weight 2 in m 2^e 2 / pi; 32 zeros precede the table's first digit, of weight 1/2.
    const int first = exponent - 1 - 1 + 32;
    const uint32_t *word = digits + (first >> 5);
    uint32_t window[3];
    for (int i = 0; i < 3; i += 1)
      window[i] = (uint32_t)((((uint64_t)word[i] << 32 | word[i + 1]) << (first & 31)) >> 32);
    const uint64_t turns =
        ((uint64_t)(window[0] * m) << 32) + (uint64_t)window[1] * m + ((uint64_t)window[2] * m >> 32);
    const uint64_t quarter = (turns + (UINT64_C(1) << 61)) >> 62;
    // From -1/2 to 1/2 quarter turn in units of 2^-62 of one.
    const int64_t rest = (int64_t)(turns - (quarter << 62));
    const float angle = (float)((double)rest * (0x1.921fb54442d18p0 * 0x1p-62));
    (*r)[lane] = value < 0 ? -angle : angle;
    (*magic)[lane] = LOPT_MAGIC + (float)(value < 0 ? -(int32_t)quarter : (int32_t)quarter);
  }
}
// x = n pi / 2 + r with |r| up to pi / 4 (1.005 of it, as n is rounded); n's low bits are those of magic.
LOPT_INLINE lopt_reduced lopt_reduce_angle(vf x) {
  vf magic = vf_fma(x, vf_splat(0x1.45f306p-1f), vf_splat(LOPT_MAGIC));
  const vf n = magic - LOPT_MAGIC;
  vf r = vf_fma(n, vf_splat(-0x1.921fb6p0f), x);
  r = vf_fma(n, vf_splat(0x1.777a5cp-25f), r);
  r = vf_fma(n, vf_splat(0x1.ee59dap-50f), r);
  const vi huge = (vi)(vf_abs(x) > 0x1p16f);
  if (LOPT_UNLIKELY(vm_any(huge))) {
    vf values = x, angles = r, turns = magic;
    lopt_reduce_huge(&values, &angles, &turns);
    r = angles;
    magic = turns;
  }
  return (lopt_reduced){magic, r};
}

// sin r and cos r for |r| up to pi / 4: r + r^3 P(r^2), degree 2 in r^2: 2^-27.8; 1 + r^2 P(r^2), degree 3: 2^-32.9.
LOPT_INLINE vf lopt_sin_kernel(vf r) {
  const vf square = r * r;
  vf p = vf_splat(-0x1.991c2ep-13f);
  p = lopt_next(p, square, 0x1.1106c6p-7f);
  p = lopt_next(p, square, -0x1.555544p-3f);
  return vf_fma(r * square, p, r);
}
LOPT_INLINE vf lopt_cos_kernel(vf r) {
  const vf square = r * r;
  vf p = vf_splat(0x1.99e42cp-16f);
  p = lopt_next(p, square, -0x1.6c0c2p-10f);
  p = lopt_next(p, square, 0x1.55554ap-5f);
  p = lopt_next(p, square, -0.5f);
  return vf_fma(square, p, vf_splat(1.0f));
}
// sin(r + quarters pi / 2)
LOPT_INLINE vf lopt_sin_turned(vf r, lopt_vu quarters) {
  const vf y = vf_select((vi)((quarters & 1) != 0), lopt_cos_kernel(r), lopt_sin_kernel(r));
  return (vf)((lopt_vu)y ^ (quarters & 2) << 30);
}

// Below 2^-12 sin x and tan x round to x: keeps the sign of zero.
LOPT_INLINE vf vf_sin(vf x) {
  const lopt_reduced reduced = lopt_reduce_angle(x);
  return vf_select((vi)(vf_abs(x) < 0x1p-12f), x, lopt_sin_turned(reduced.r, (lopt_vu)reduced.magic));
}
LOPT_INLINE vf vf_cos(vf x) {
  const lopt_reduced reduced = lopt_reduce_angle(x);
  return lopt_sin_turned(reduced.r, (lopt_vu)reduced.magic + 1);
}
LOPT_INLINE vf vf_tan(vf x) {
  const lopt_reduced reduced = lopt_reduce_angle(x);
  const vf s = lopt_sin_kernel(reduced.r);
  const vf c = lopt_cos_kernel(reduced.r);
  const vi odd = (vi)(((lopt_vu)reduced.magic & 1) != 0);
  const vf y = vf_select(odd, vf_neg(c), s) / vf_select(odd, s, c);
  return vf_select((vi)(vf_abs(x) < 0x1p-12f), x, y);
}

// asin x for 0 <= x <= 1/2: x + x^3 P(x^2), degree 4 in x^2: 2^-27.6.
LOPT_INLINE vf lopt_asin_kernel(vf x, vf square) {
  vf p = vf_splat(0x1.595c6ap-5f);
  p = lopt_next(p, square, 0x1.8c3e4cp-6f);
  p = lopt_next(p, square, 0x1.747bb8p-5f);
  p = lopt_next(p, square, 0x1.330204p-4f);
  p = lopt_next(p, square, 0x1.5555c8p-3f);
  return vf_fma(x * square, p, x);
}
// Above 1/2: pi / 2 - 2 asin(sqrt((1 - x) / 2)).
LOPT_INLINE vf vf_asin(vf x) {
  const vf a = vf_abs(x);
  const vi large = (vi)(a > 0.5f);
  const vf square = vf_select(large, vf_fma(a, vf_splat(-0.5f), vf_splat(0.5f)), a * a);
  const vf p = lopt_asin_kernel(vf_select(large, vf_sqrt(square), a), square);
  const vf y = vf_select(large, vf_fma(p, vf_splat(-2.0f), vf_splat(0x1.921fb6p0f)), p);
  return lopt_copy_sign(y, x);
}
LOPT_INLINE vf vf_acos(vf x) {
  const vf a = vf_abs(x);
  const vi large = (vi)(a > 0.5f);
  const vf square = vf_select(large, vf_fma(a, vf_splat(-0.5f), vf_splat(0.5f)), a * a);
  const vf p = lopt_asin_kernel(vf_select(large, vf_sqrt(square), a), square);
  const vi negative = (vi)(x < 0.0f);
  // 2 p or pi - 2 p; pi / 2 - p or pi / 2 + p.
  const vf near = vf_select(negative, vf_fma(p, vf_splat(-2.0f), vf_splat(0x1.921fb6p1f)), p + p);
  const vf far = 0x1.921fb6p0f - (lopt_copy_sign(p, x) + 0x1.777a5cp-25f);
  return vf_select(large, near, far);
}

// atan x for 0 <= x <= 1: x + x^3 P(x^2), degree 7 in x^2: 2^-25.8.
LOPT_INLINE vf lopt_atan_kernel(vf x) {
  const vf square = x * x;
  vf p = vf_splat(0x1.7ea904p-9f);
  p = lopt_next(p, square, -0x1.0c18d6p-6f);
  p = lopt_next(p, square, 0x1.61ef4ep-5f);
  p = lopt_next(p, square, -0x1.355104p-4f);
  p = lopt_next(p, square, 0x1.b4deb8p-4f);
  p = lopt_next(p, square, -0x1.230a94p-3f);
  p = lopt_next(p, square, 0x1.9978ecp-3f);
  p = lopt_next(p, square, -0x1.5554dcp-2f);
  return vf_fma(x * square, p, x);
}
// Above 1: pi / 2 - atan(1 / x).
LOPT_INLINE vf vf_atan(vf x) {
  const vf a = vf_abs(x);
  const vi large = (vi)(a > 1.0f);
  const vf p = lopt_atan_kernel(vf_select(large, 1.0f / a, a));
  return lopt_copy_sign(vf_select(large, 0x1.921fb6p0f - (p + 0x1.777a5cp-25f), p), x);
}
// The angle of (x, y), from the quotient of the smaller by the larger magnitude.
LOPT_INLINE vf vf_atan2(vf y, vf x) {
  const vf ax = vf_abs(x), ay = vf_abs(y);
  const vi steep = (vi)(ay > ax);
  const vf large = vf_select(steep, ay, ax), small = vf_select(steep, ax, ay);
  // Two infinities make half a right angle, two zeros none.
  const vf quotient = vf_select((vi)(small == large), vf_splat(1.0f), small / large);
  vf p = lopt_atan_kernel(vf_select((vi)(large == 0.0f), vf_splat(0.0f), quotient));
  p = vf_select(steep, 0x1.921fb6p0f - (p + 0x1.777a5cp-25f), p);
  p = vf_select((vi)((vi)x < 0), 0x1.921fb6p1f - (p + 0x1.777a5cp-24f), p);
  const vi ordered = (vi)(x == x) & (vi)(y == y);
  return vf_select(ordered, lopt_copy_sign(p, y), vf_splat(LOPT_NAN));
}

// ---- Rounding

#if LANES == 16 && LOPT_HAS(__builtin_ia32_rndscaleps_mask)
#define LOPT_ROUND_BY(x, mode) __builtin_ia32_rndscaleps_mask(x, mode, x, (unsigned short)-1, 4)
#elif LANES == 8 && LOPT_HAS(__builtin_ia32_roundps256)
#define LOPT_ROUND_BY(x, mode) __builtin_ia32_roundps256(x, mode)
#elif LANES == 4 && defined(__SSE4_1__) && LOPT_HAS(__builtin_ia32_roundps)
#define LOPT_ROUND_BY(x, mode) __builtin_ia32_roundps(x, mode)
#endif

#ifdef LOPT_ROUND_BY
LOPT_INLINE vf vf_round(vf x) { return LOPT_ROUND_BY(x, 8); }
LOPT_INLINE vf vf_floor(vf x) { return LOPT_ROUND_BY(x, 9); }
LOPT_INLINE vf vf_ceil(vf x) { return LOPT_ROUND_BY(x, 10); }
#else
// Half to even, as the sum is rounded. From 2^23 on every float is whole.
LOPT_INLINE vf vf_round(vf x) {
  const vf a = vf_abs(x);
  return vf_select((vi)(a < 0x1p23f), lopt_copy_sign((a + 0x1p23f) - 0x1p23f, x), x);
}
LOPT_INLINE vf vf_floor(vf x) {
  const vf y = vf_round(x);
  return lopt_copy_sign(y - vf_of_vm((vi)(y > x)), x);
}
LOPT_INLINE vf vf_ceil(vf x) {
  const vf y = vf_round(x);
  return lopt_copy_sign(y + vf_of_vm((vi)(y < x)), x);
}
#endif

// ---- The rest of float32

LOPT_INLINE vf vf_sub(vf a, vf b) { return a - b; }
LOPT_INLINE vf vf_div(vf a, vf b) { return a / b; }
LOPT_INLINE vf vf_relu(vf x) { return lopt_larger(vf_splat(0.0f), x); }
// x itself where it is zero or NaN.
LOPT_INLINE vf vf_sign(vf x) { return vf_select((vi)(vf_abs(x) > 0.0f), lopt_copy_sign(vf_splat(1.0f), x), x); }
LOPT_INLINE vi vf_isNan(vf x) { return (vi)(x != x); }
LOPT_INLINE vi vf_isInf(vf x) { return (vi)(vf_abs(x) == LOPT_INFINITY); }
LOPT_INLINE vi vf_isFinite(vf x) { return (vi)(vf_abs(x) < LOPT_INFINITY); }
LOPT_INLINE vi vf_equal(vf a, vf b) { return (vi)(a == b); }
LOPT_INLINE vi vf_notEqual(vf a, vf b) { return (vi)(a != b); }
LOPT_INLINE vi vf_less(vf a, vf b) { return (vi)(a < b); }
LOPT_INLINE vi vf_lessEqual(vf a, vf b) { return (vi)(a <= b); }
LOPT_INLINE vi vf_greater(vf a, vf b) { return (vi)(a > b); }
LOPT_INLINE vi vf_greaterEqual(vf a, vf b) { return (vi)(a >= b); }

LOPT_INLINE vf vf_floorDiv(vf a, vf b) { return vf_floor(a / b); }

// a - floor(a / b) b rounded once, by long division in integers; a zero has the sign of b.
LOPT_COLD float lopt_mod(float a, float b) {
  const float x = __builtin_fabsf(a), y = __builtin_fabsf(b);
  if (!(x < LOPT_INFINITY) || !(y > 0)) return LOPT_NAN;
  float r = x;
  if (x >= y) {
    uint32_t bits[2];
    __builtin_memcpy(&bits[0], &x, 4);
    __builtin_memcpy(&bits[1], &y, 4);
    int exponents[2];
    uint64_t digits[2];
    for (int i = 0; i < 2; i += 1) {
      const int field = (int)(bits[i] >> 23);
      exponents[i] = field == 0 ? 1 : field;
      digits[i] = (bits[i] & 0x7fffff) | (field == 0 ? 0 : 0x800000);
    }
    uint64_t rest = digits[0] % digits[1];
    for (int left = exponents[0] - exponents[1]; left > 0; left -= 39)
      rest = (rest << (left < 39 ? left : 39)) % digits[1];
    // The unit of y: 2^(exponent - 150), as a double's bits.
    const uint64_t unit_bits = (uint64_t)(exponents[1] - 150 + 1023) << 52;
    double unit;
    __builtin_memcpy(&unit, &unit_bits, 8);
    r = (float)((double)rest * unit);
  }
  if (r == 0) return __builtin_copysignf(0.0f, b);
  r = __builtin_copysignf(r, a);
  return (r < 0) == (b < 0) ? r : r + b;
}
LOPT_COLD void lopt_mod_lanes(const vf *a, const vf *b, vf *r) {
  for (int lane = 0; lane < LANES; lane += 1) (*r)[lane] = lopt_mod((*a)[lane], (*b)[lane]);
}
// The quotient may be one too large, never too small; below 2^22 the remainder is exact either way.
LOPT_INLINE vf vf_mod(vf a, vf b) {
  const vf quotient = vf_floor(a / b);
  vf r = vf_fma(vf_neg(quotient), b, a);
  const vi opposite = (vi)(r < 0.0f) ^ (vi)(b < 0.0f);
  r = vf_select((vi)(r == 0.0f), (vf)lopt_sign_bit(b), vf_select(opposite, r + b, r));
  const vi plain = (vi)(vf_abs(quotient) < 0x1p22f) & (vi)(vf_abs(b) < LOPT_INFINITY);
  if (LOPT_UNLIKELY(!vm_all(plain))) {
    vf dividends = a, divisors = b, remainders = r;
    lopt_mod_lanes(&dividends, &divisors, &remainders);
    r = remainders;
  }
  return r;
}

// ---- int32, which wraps round; a quotient or remainder by zero is 0

LOPT_INLINE vi vi_sub(vi a, vi b) { return (vi)((lopt_vu)a - (lopt_vu)b); }
LOPT_INLINE vi vi_neg(vi x) { return (vi)(0 - (lopt_vu)x); }
LOPT_INLINE vi vi_abs(vi x) { return vi_max(x, vi_neg(x)); }
LOPT_INLINE vi vi_sign(vi x) { return (vi)(x < 0) - (vi)(x > 0); }
LOPT_INLINE vi vi_relu(vi x) { return vi_max(x, vi_splat(0)); }
LOPT_INLINE vi vi_equal(vi a, vi b) { return (vi)(a == b); }
LOPT_INLINE vi vi_notEqual(vi a, vi b) { return (vi)(a != b); }
LOPT_INLINE vi vi_less(vi a, vi b) { return (vi)(a < b); }
LOPT_INLINE vi vi_lessEqual(vi a, vi b) { return (vi)(a <= b); }
LOPT_INLINE vi vi_greater(vi a, vi b) { return (vi)(a > b); }
LOPT_INLINE vi vi_greaterEqual(vi a, vi b) { return (vi)(a >= b); }

// Towards zero. In doubles the quotient of two int32s is right when cut. Divided by -1 the smallest int32 stays.
LOPT_INLINE vi vi_div(vi a, vi b) {
  const vi minus_one = (vi)(b == -1), zero = (vi)(b == 0);
  const vi divisor = vi_select(minus_one | zero, vi_splat(1), b);
  const lopt_vd quotient = __builtin_convertvector(a, lopt_vd) / __builtin_convertvector(divisor, lopt_vd);
  return vi_select(minus_one, vi_neg(a), __builtin_convertvector(quotient, vi)) & ~zero;
}
// -1 where the quotient, cut, is one too large.
LOPT_INLINE vi lopt_above(vi remainder, vi b) {
  return (vi)(remainder != 0) & ((vi)(remainder < 0) ^ (vi)(b < 0));
}
LOPT_INLINE vi vi_floorDiv(vi a, vi b) {
  const vi quotient = vi_div(a, b);
  return vi_add(quotient, lopt_above(vi_sub(a, vi_mul(quotient, b)), b)) & (vi)(b != 0);
}
LOPT_INLINE vi vi_mod(vi a, vi b) {
  const vi remainder = vi_sub(a, vi_mul(vi_div(a, b), b));
  return vi_add(remainder, lopt_above(remainder, b) & b) & (vi)(b != 0);
}
// By squaring, modulo 2^32. A negative exponent gives the quotient of 1 cut, and 0 for a base of 0.
LOPT_COLD vi vi_pow(vi a, vi b) {
  vi power = vi_splat(1), square = a;
  for (lopt_vu left = (lopt_vu)b; vm_any((vi)(left != 0)); left >>= 1) {
    power = vi_select((vi)((left & 1) != 0), vi_mul(power, square), power);
    square = vi_mul(square, square);
  }
  // Of a base of 1 or -1 the bits of a negative exponent, read as a positive one, give the right sign.
  const vi unit = (vi)(a == 1) | (vi)(a == -1);
  return vi_select((vi)(b < 0) & ~unit, vi_splat(0), power);
}
// Of the numbers as floats, cut.
LOPT_INLINE vi vi_atan2(vi y, vi x) { return vi_of_vf(vf_atan2(vf_of_vi(y), vf_of_vi(x))); }

// ---- Masks, false below true

LOPT_INLINE vi vm_not(vi a) { return ~a; }
LOPT_INLINE vi vm_and(vi a, vi b) { return a & b; }
LOPT_INLINE vi vm_or(vi a, vi b) { return a | b; }
LOPT_INLINE vi vm_xor(vi a, vi b) { return a ^ b; }
LOPT_INLINE vi vm_equal(vi a, vi b) { return ~(a ^ b); }
LOPT_INLINE vi vm_notEqual(vi a, vi b) { return a ^ b; }
LOPT_INLINE vi vm_less(vi a, vi b) { return ~a & b; }
LOPT_INLINE vi vm_lessEqual(vi a, vi b) { return ~a | b; }
LOPT_INLINE vi vm_greater(vi a, vi b) { return a & ~b; }
LOPT_INLINE vi vm_greaterEqual(vi a, vi b) { return a | ~b; }
LOPT_INLINE vi vm_select(vi mask, vi a, vi b) { return vi_select(mask, a, b); }

// ---- One element. A mask is an int32_t, 0 or -1.

LOPT_INLINE float sf_select(int32_t mask, float a, float b) { return mask ? a : b; }
LOPT_INLINE int32_t si_select(int32_t mask, int32_t a, int32_t b) { return mask ? a : b; }
LOPT_INLINE float sf_of_sm(int32_t mask) { return mask ? 1.0f : 0.0f; }
LOPT_INLINE int32_t si_of_sm(int32_t mask) { return mask & 1; }
LOPT_INLINE int32_t sm_of_sf(float x) { return -(x != 0.0f); }
LOPT_INLINE int32_t sm_of_si(int32_t x) { return -(x != 0); }
LOPT_INLINE int32_t sb_load(const uint8_t *p) { return -(*p != 0); }
LOPT_INLINE void sb_store(uint8_t *p, int32_t mask) { *p = (uint8_t)(mask & 1); }
LOPT_INLINE float sf_fma(float a, float b, float c) {
#if LOPT_HAS_FMA
  return __builtin_fmaf(a, b, c);
#else
  return (float)((double)a * (double)b + (double)c);
#endif
}

LOPT_INLINE float sf_neg(float x) { return -x; }
LOPT_INLINE float sf_abs(float x) { return __builtin_fabsf(x); }
LOPT_INLINE float sf_sqrt(float x) { return __builtin_sqrtf(x); }
LOPT_INLINE float sf_rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
LOPT_INLINE float sf_reciprocal(float x) { return 1.0f / x; }
LOPT_INLINE float sf_relu(float x) { return 0.0f > x ? 0.0f : x; }
LOPT_INLINE float sf_sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
LOPT_INLINE float sf_add(float a, float b) { return a + b; }
LOPT_INLINE float sf_sub(float a, float b) { return a - b; }
LOPT_INLINE float sf_mul(float a, float b) { return a * b; }
LOPT_INLINE float sf_div(float a, float b) { return a / b; }
LOPT_INLINE float sf_max(float a, float b) { return a != a ? a : a > b ? a : b; }
LOPT_INLINE float sf_min(float a, float b) { return a != a ? a : a < b ? a : b; }
LOPT_INLINE int32_t sf_isNan(float x) { return -(x != x); }
LOPT_INLINE int32_t sf_isInf(float x) { return -(__builtin_fabsf(x) == LOPT_INFINITY); }
LOPT_INLINE int32_t sf_isFinite(float x) { return -(__builtin_fabsf(x) < LOPT_INFINITY); }

#define LOPT_AS_LANE(fn) \
  LOPT_INLINE float sf_##fn(float x) { return vf_##fn(vf_splat(x))[0]; }
LOPT_AS_LANE(exp)
LOPT_AS_LANE(expm1)
LOPT_AS_LANE(log)
LOPT_AS_LANE(log1p)
LOPT_AS_LANE(sin)
LOPT_AS_LANE(cos)
LOPT_AS_LANE(tan)
LOPT_AS_LANE(asin)
LOPT_AS_LANE(acos)
LOPT_AS_LANE(atan)
LOPT_AS_LANE(sinh)
LOPT_AS_LANE(cosh)
LOPT_AS_LANE(tanh)
LOPT_AS_LANE(asinh)
LOPT_AS_LANE(acosh)
LOPT_AS_LANE(atanh)
LOPT_AS_LANE(sigmoid)
LOPT_AS_LANE(softplus)
LOPT_AS_LANE(erf)
LOPT_AS_LANE(floor)
LOPT_AS_LANE(ceil)
LOPT_AS_LANE(round)
#undef LOPT_AS_LANE
#define LOPT_AS_LANE(fn) \
  LOPT_INLINE float sf_##fn(float a, float b) { return vf_##fn(vf_splat(a), vf_splat(b))[0]; }
LOPT_AS_LANE(pow)
LOPT_AS_LANE(atan2)
LOPT_AS_LANE(mod)
LOPT_AS_LANE(floorDiv)
#undef LOPT_AS_LANE

LOPT_INLINE int32_t si_neg(int32_t x) { return (int32_t)(0 - (uint32_t)x); }
LOPT_INLINE int32_t si_abs(int32_t x) { return x < 0 ? si_neg(x) : x; }
LOPT_INLINE int32_t si_sign(int32_t x) { return (x > 0) - (x < 0); }
LOPT_INLINE int32_t si_relu(int32_t x) { return x > 0 ? x : 0; }
LOPT_INLINE int32_t si_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
LOPT_INLINE int32_t si_sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
LOPT_INLINE int32_t si_mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
LOPT_INLINE int32_t si_max(int32_t a, int32_t b) { return a > b ? a : b; }
LOPT_INLINE int32_t si_min(int32_t a, int32_t b) { return a < b ? a : b; }
LOPT_INLINE int32_t si_div(int32_t a, int32_t b) { return b == 0 ? 0 : b == -1 ? si_neg(a) : a / b; }
LOPT_INLINE int32_t si_mod(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return 0;
  const int32_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}
LOPT_INLINE int32_t si_floorDiv(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return b == 0 ? 0 : si_neg(a);
  const int32_t remainder = a % b;
  return a / b - (remainder != 0 && (remainder < 0) != (b < 0));
}
LOPT_INLINE int32_t si_pow(int32_t a, int32_t b) { return vi_pow(vi_splat(a), vi_splat(b))[0]; }
LOPT_INLINE int32_t si_atan2(int32_t y, int32_t x) { return si_of_sf(sf_atan2((float)y, (float)x)); }

#define LOPT_COMPARISON(fn, operator)                                              \
  LOPT_INLINE int32_t sf_##fn(float a, float b) { return -(a operator b); }        \
  LOPT_INLINE int32_t si_##fn(int32_t a, int32_t b) { return -(a operator b); }    \
  LOPT_INLINE int32_t sm_##fn(int32_t a, int32_t b) { return -(-a operator - b); }
LOPT_COMPARISON(equal, ==)
LOPT_COMPARISON(notEqual, !=)
LOPT_COMPARISON(less, <)
LOPT_COMPARISON(lessEqual, <=)
LOPT_COMPARISON(greater, >)
LOPT_COMPARISON(greaterEqual, >=)
#undef LOPT_COMPARISON

LOPT_INLINE int32_t sm_not(int32_t a) { return ~a; }
LOPT_INLINE int32_t sm_and(int32_t a, int32_t b) { return a & b; }
LOPT_INLINE int32_t sm_or(int32_t a, int32_t b) { return a | b; }
LOPT_INLINE int32_t sm_xor(int32_t a, int32_t b) { return a ^ b; }
LOPT_INLINE int32_t sm_select(int32_t mask, int32_t a, int32_t b) { return mask ? a : b; }

#endif
