// The steps of jit/random/normal-quantile.ts in C: writes the normal numbers of a million words to stdout.
// Compile with -ffp-contract=off.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static float log_float32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  int exponent = (int)((bits >> 23) & 0xff) - 126;
  bits = (bits & 0x007fffff) | 0x3f000000;
  float x;
  memcpy(&x, &bits, sizeof x);
  if (x < (float)0.70710678118654752) {
    exponent -= 1;
    x = (x + x) - 1.0f;
  } else {
    x = x - 1.0f;
  }
  const float e = (float)exponent;
  const float square = x * x;
  float y = 7.0376836292e-2f;
  y = y * x + -1.151461031e-1f;
  y = y * x + 1.167699874e-1f;
  y = y * x + -1.2420140846e-1f;
  y = y * x + 1.4249322787e-1f;
  y = y * x + -1.6668057665e-1f;
  y = y * x + 2.0000714765e-1f;
  y = y * x + -2.4999993993e-1f;
  y = y * x + 3.3333331174e-1f;
  y = (y * x) * square;
  y = y + -2.12194440e-4f * e;
  y = y - 0.5f * square;
  return (x + y) + 0.693359375f * e;
}

static float midpoint(uint32_t k) { return ((float)k + 0.5f) * 0x1p-32f; }

static float middle_quantile(float q) {
  const float r = 0.180625f - q * q;
  const float above = ((59.10937472f * r + 159.29113202f) * r + 50.434271938f) * r + 3.3871327179f;
  const float below = ((67.1875636f * r + 78.757757664f) * r + 17.895169469f) * r + 1.0f;
  return (q * above) / below;
}

static float tail_quantile(float p) {
  const float t = sqrtf(-log_float32(p)) - 1.6f;
  const float above = ((0.17023821103f * t + 1.3067284816f) * t + 2.75681539f) * t + 1.4234372777f;
  const float below = (0.12021132975f * t + 0.7370016425f) * t + 1.0f;
  return above / below;
}

int main(void) {
  const uint32_t middle_last = (uint32_t)floor((double)0.425f * 4294967296.0 - 0.5);
  uint32_t word = 12345;
  for (int i = 0; i < 1000000; i += 1) {
    word = word * 1664525u + 1013904223u;
    const uint32_t k = word >> 1;
    float z = k <= middle_last ? middle_quantile(midpoint(k)) : tail_quantile(midpoint(0x7fffffffu - k));
    if (word & 1) z = -z;
    fwrite(&z, sizeof z, 1, stdout);
  }
  return 0;
}
