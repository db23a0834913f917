// Compares the functions of math.h with C's in double precision over all float32 arguments: `math-sweep <first> <stride>` takes every
// <stride>-th bit pattern from <first> on, and as many pairs for functions of two arguments. Prints a line a function:
//
//   <name> <largest error in units in the last place> <where> <where> <differences> <hash of all results>
//
// Differences: results for one element that are not a lane's, and results that change where a product goes in and a sum comes out.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../jit/engines/native/c/math.h"

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// One NaN is as good as another.
static uint32_t canonical(float x) { return isnan(x) ? 0x7fc00000 : bits_of(x); }

// Distance in units in the last place of the exact result. Infinity counts as 2^128; a wrong NaN, infinity or sign of zero is infinitely wrong.
static double error_of(float got, double exact) {
  if (isnan(exact)) return isnan(got) ? 0 : INFINITY;
  if (isnan(got)) return INFINITY;
  if ((got == 0 || exact == 0) && !signbit(got) != !signbit(exact)) return INFINITY;
  const double above = 0x1p128;
  if (fabs(exact) > above) exact = copysign(above, exact);
  const double value = isinf(got) ? copysign(above, got) : got;
  int exponent;
  frexp(exact, &exponent);
  if (exact == 0 || exponent < -125) exponent = -125;
  if (exponent > 128) exponent = 128;
  return fabs(value - exact) / ldexp(1, exponent - 24);
}

typedef struct {
  double worst;
  float at[2];
  int64_t differences;
  uint64_t hash;
} outcome;

static void note(outcome *seen, float got, float scalar, double exact, float a, float b) {
  const double error = error_of(got, exact);
  if (error > seen->worst) {
    seen->worst = error;
    seen->at[0] = a;
    seen->at[1] = b;
  }
  if (canonical(got) != canonical(scalar)) seen->differences += 1;
  seen->hash = (seen->hash ^ canonical(got)) * UINT64_C(0x100000001b3);
}
static void print(const char *name, const outcome *seen) {
  printf("%s %.4f %a %a %lld %016llx\n", name, seen->worst, seen->at[0], seen->at[1], (long long)seen->differences,
         (unsigned long long)seen->hash);
  fflush(stdout);
}

// The chunk is a multiple of every LANES.
enum { CHUNK = 4096 };
static uint32_t first, stride;

// y = f(x) by vectors, z the same by elements, w = f(x * FACTOR) + TERM, which compilers may contract.
#define FACTOR 1.1f
#define TERM 0.7f
typedef void (*map1)(const float *x, float *y, float *z);
typedef void (*map2)(const float *a, const float *b, float *y, float *z);
typedef void (*joined)(const float *x, float *w);

static void check_joined(outcome *seen, const float *x, map1 apply, joined apply_joined) {
  static float scaled[CHUNK], y[CHUNK], z[CHUNK], w[CHUNK];
  for (int i = 0; i < CHUNK; i += 1) {
    volatile float product = x[i] * FACTOR;
    scaled[i] = product;
  }
  apply(scaled, y, z);
  apply_joined(x, w);
  for (int i = 0; i < CHUNK; i += 1) {
    volatile float sum = y[i];
    sum = sum + TERM;
    if (canonical(sum) != canonical(w[i])) seen->differences += 1;
  }
}
static void sweep1(const char *name, map1 apply, joined apply_joined, double (*exact)(double)) {
  static float x[CHUNK], y[CHUNK], z[CHUNK];
  outcome seen = {0};
  // First what is near multiples of pi / 2, where reduction loses most: 16 chunks of them.
  uint64_t near = 1;
  for (uint64_t bits = first; bits < UINT64_C(1) << 32;) {
    for (int count = 0; count < CHUNK; count += 1) {
      if (near <= 16 * CHUNK) {
        x[count] = (float)((double)(near % 2 ? near : near * 8191) * 0x1.921fb54442d18p0);
        near += 1;
      } else {
        x[count] = float_of((uint32_t)bits);
        bits += stride;
      }
    }
    apply(x, y, z);
    for (int i = 0; i < CHUNK; i += 1) note(&seen, y[i], z[i], exact(x[i]), x[i], 0);
    if (bits / stride % (16 * CHUNK) < CHUNK) check_joined(&seen, x, apply, apply_joined);
  }
  print(name, &seen);
}

// Pairs of every kind: of all bit patterns, of moderate size, and special ones.
static uint64_t random_state;
static uint32_t next_word(void) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(random_state >> 32);
}
static float next_argument(uint32_t kind) {
  static const float special[] = {0.0f,  1.0f,  2.0f,      3.0f,      0.5f,       0.25f,  1.5f,      2.5f,
                                  10.0f, 12345, 8388607.0f, 8388609.0f, 16777215.0f, 1e-40f, 0x1p-126f, INFINITY,
                                  NAN,   1e30f, 0x1p-149f,  0x1.fffffep127f, 16777216.0f, 33554432.0f};
  const uint32_t word = next_word();
  if (kind == 0) return float_of(word);
  if (kind == 1) return float_of((word & 0x807fffff) | (112 + (word >> 23) % 24) << 23);
  const float x = special[word % (sizeof special / sizeof *special)];
  return word >> 31 ? -x : x;
}
static void sweep2(const char *name, map2 apply, double (*exact)(double, double)) {
  static float a[CHUNK], b[CHUNK], y[CHUNK], z[CHUNK];
  outcome seen = {0};
  random_state = first;
  for (uint64_t done = 0; done < (UINT64_C(1) << 32) / stride; done += CHUNK) {
    for (int i = 0; i < CHUNK; i += 1) {
      // Whole chunks of plain arguments, so that both ways of a function are walked.
      const uint32_t kind = next_word();
      const int is_plain = done / CHUNK % 2 == 0;
      a[i] = next_argument(is_plain ? 1 : kind % 3);
      b[i] = next_argument(is_plain ? 1 : kind / 3 % 3);
      if (is_plain && done / CHUNK % 4 == 0) a[i] = fabsf(a[i]);
    }
    apply(a, b, y, z);
    for (int i = 0; i < CHUNK; i += 1) note(&seen, y[i], z[i], exact(a[i], b[i]), a[i], b[i]);
  }
  print(name, &seen);
}

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0 * x + (isnan(x) ? x : 0)) * (x > 0) + log1p(exp(-fabs(x))); }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double reciprocal(double x) { return 1 / x; }
static double modulo(double a, double b) {
  if (isnan(a) || isnan(b) || isinf(a) || b == 0) return NAN;
  const double r = fmod(a, b);
  if (r == 0) return copysign(0.0, b);
  return (r < 0) == (b < 0) ? r : (double)((float)r + (float)b);
}

#define UNARY(fn, reference)                                                         \
  static void map_##fn(const float *x, float *y, float *z) {                         \
    for (int i = 0; i < CHUNK; i += LANES) vf_store(y + i, vf_##fn(vf_load(x + i))); \
    for (int i = 0; i < CHUNK; i += 1) z[i] = sf_##fn(x[i]);                         \
  }                                                                                  \
  static void joined_##fn(const float *x, float *w) {                                \
    for (int i = 0; i < CHUNK; i += LANES) vf_store(w + i, vf_##fn(vf_load(x + i) * FACTOR) + TERM); \
  }
#define BINARY(fn, reference)                                                   \
  static void map_##fn(const float *a, const float *b, float *y, float *z) {    \
    for (int i = 0; i < CHUNK; i += LANES) vf_store(y + i, vf_##fn(vf_load(a + i), vf_load(b + i))); \
    for (int i = 0; i < CHUNK; i += 1) z[i] = sf_##fn(a[i], b[i]);              \
  }
#define UNARIES(APPLY)        \
  APPLY(exp, exp)             \
  APPLY(expm1, expm1)         \
  APPLY(log, log)             \
  APPLY(log1p, log1p)         \
  APPLY(sqrt, sqrt)           \
  APPLY(rsqrt, rsqrt)         \
  APPLY(reciprocal, reciprocal) \
  APPLY(sin, sin)             \
  APPLY(cos, cos)             \
  APPLY(tan, tan)             \
  APPLY(asin, asin)           \
  APPLY(acos, acos)           \
  APPLY(atan, atan)           \
  APPLY(sinh, sinh)           \
  APPLY(cosh, cosh)           \
  APPLY(tanh, tanh)           \
  APPLY(asinh, asinh)         \
  APPLY(acosh, acosh)         \
  APPLY(atanh, atanh)         \
  APPLY(sigmoid, sigmoid)     \
  APPLY(softplus, softplus)   \
  APPLY(erf, erf)             \
  APPLY(floor, floor)         \
  APPLY(ceil, ceil)           \
  APPLY(round, rint)
#define BINARIES(APPLY) \
  APPLY(pow, pow)       \
  APPLY(atan2, atan2)   \
  APPLY(mod, modulo)
UNARIES(UNARY)
BINARIES(BINARY)

int main(int count, char **arguments) {
  if (count < 3) return 2;
  first = (uint32_t)strtoul(arguments[1], NULL, 10);
  stride = (uint32_t)strtoul(arguments[2], NULL, 10);
  const char *only = count > 3 ? arguments[3] : NULL;
#define RUN1(fn, reference) \
  if (only == NULL || strcmp(only, #fn) == 0) sweep1(#fn, map_##fn, joined_##fn, reference);
#define RUN2(fn, reference) \
  if (only == NULL || strcmp(only, #fn) == 0) sweep2(#fn, map_##fn, reference);
  UNARIES(RUN1)
  BINARIES(RUN2)
  return 0;
}
