// Uses everything in vector.h and prints what comes out, a line a case: `<name> <number>...`. vector.test.ts knows what is right.
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "vector.h"

enum { ROOM = 256 };
static float floats[ROOM];
static int32_t integers[ROOM];
static uint8_t bools[ROOM];

static void print_vf(const char *name, vf x) {
  printf("%s", name);
  for (int i = 0; i < LANES; i += 1) printf(" %.9g", (double)x[i]);
  puts("");
}
static void print_vi(const char *name, vi x) {
  printf("%s", name);
  for (int i = 0; i < LANES; i += 1) printf(" %d", x[i]);
  puts("");
}
// All that memory holds after a store, where it isn't what it was.
static void fill(void) {
  for (int i = 0; i < ROOM; i += 1) {
    floats[i] = (float)i / 4;
    integers[i] = 1000 + i;
    // Every third is true, by various bytes.
    bools[i] = (uint8_t)(i % 3 == 0 ? i % 255 + 1 : 0);
  }
}
static void print_changes(const char *name) {
  printf("%s", name);
  for (int i = 0; i < ROOM; i += 1) {
    if (floats[i] != (float)i / 4) printf(" %d:%.9g", i, (double)floats[i]);
    if (integers[i] != 1000 + i) printf(" %d:%d", i, integers[i]);
    if (bools[i] != (uint8_t)(i % 3 == 0 ? i % 255 + 1 : 0)) printf(" %d:%d", i, bools[i]);
  }
  puts("");
  fill();
}

int main(void) {
  fill();
  printf("lanes %d\n", LANES);
  const vi count = vi_iota();
  print_vi("vi_iota", count);
  print_vf("vf_splat", vf_splat(-0.0f));
  print_vi("vi_splat", vi_splat(-7));
  // Unaligned: one element past the start of an array.
  print_vf("vf_load", vf_load(floats + 1));
  print_vi("vi_load", vi_load(integers + 1));
  print_vi("vb_load", vb_load(bools + 1));
  print_vf("vf_load_strided", vf_load_strided(floats + 200, -3));
  print_vi("vi_load_strided", vi_load_strided(integers, 5));
  print_vi("vb_load_strided", vb_load_strided(bools, 2));
  const vi at = (count * 7 + 3) % 64;
  print_vf("vf_load_indexed", vf_load_indexed(floats, at));
  print_vi("vi_load_indexed", vi_load_indexed(integers, at));
  print_vi("vb_load_indexed", vb_load_indexed(bools, at));
  const vf numbers = vf_of_vi(count) - 1.5f;
  const vi even = (vi)((count & 1) == 0);
  vf_store(floats + 3, numbers), print_changes("vf_store");
  vi_store(integers + 3, -count), print_changes("vi_store");
  vb_store(bools + 1, even), print_changes("vb_store");
  vf_store_strided(floats + 1, 3, numbers), print_changes("vf_store_strided");
  vi_store_strided(integers + 100, -2, -count), print_changes("vi_store_strided");
  vb_store_strided(bools + 1, 3, even), print_changes("vb_store_strided");
  vf_store_indexed(floats, at, numbers), print_changes("vf_store_indexed");
  vi_store_indexed(integers, at, -count), print_changes("vi_store_indexed");
  vb_store_indexed(bools, at, even), print_changes("vb_store_indexed");
  // Of several lanes for one place the last stays.
  vf_store_indexed(floats, vi_splat(9), numbers), print_changes("vf_store_indexed_same");

  print_vf("vf_select", vf_select(even, numbers, vf_splat(99)));
  print_vi("vi_select", vi_select(even, count, vi_splat(99)));
  printf("vm_any %d %d %d\n", vm_any(vi_splat(0)), vm_any((vi)(count == LANES - 1)), vm_any(vi_splat(-1)));
  printf("vm_all %d %d %d\n", vm_all(vi_splat(0)), vm_all((vi)(count != LANES - 1)), vm_all(vi_splat(-1)));

  static const float wild[] = {NAN,  INFINITY, -INFINITY, 2147483648.0f, 2147483520.0f, -2147483648.0f, -2147483904.0f, 1.99f,
                               -1.99f, -0.0f,  1e30f,     -1e30f,        0.5f,          16777217.0f,    -0.5f,          3.0f};
  for (int i = 0; i < 16; i += LANES) print_vi("vi_of_vf", vi_of_vf(vf_load(wild + i)));
  printf("si_of_sf");
  for (int i = 0; i < 16; i += 1) printf(" %d", si_of_sf(wild[i]));
  puts("");
  print_vf("vf_of_vi", vf_of_vi(vi_splat(16777217) + count * 2));
  print_vf("vf_of_vm", vf_of_vm(even));
  print_vi("vi_of_vm", vi_of_vm(even));
  print_vi("vm_of_vf", vm_of_vf(vf_select(even, vf_splat(NAN), vf_splat(-0.0f))));
  print_vi("vm_of_vi", vm_of_vi(even & count));
  // The exact product needs 48 bits.
  print_vf("vf_fma", vf_fma(vf_splat(0x1.000002p0f), vf_splat(0x1.000002p0f), vf_splat(-0x1.000004p0f)));

  // Large terms of both signs: each order of summation has its own result.
  float terms[LANES];
  for (int i = 0; i < LANES; i += 1) terms[i] = (float)((i * 37 % 11) - 5) * (i % 2 ? 1e7f : 0.3f);
  print_vf("terms", vf_load(terms));
  printf("vf_reduce_sum %.9g\n", (double)vf_reduce_sum(vf_load(terms)));
  printf("vf_reduce_prod %.9g\n", (double)vf_reduce_prod(numbers));
  printf("vf_reduce_max %.9g\n", (double)vf_reduce_max(numbers));
  printf("vf_reduce_min %.9g\n", (double)vf_reduce_min(numbers));
  // NaN in every place in turn.
  int wins = 0;
  for (int i = 0; i < LANES; i += 1) {
    const vf x = vf_select((vi)(count == i), vf_splat(NAN), numbers);
    wins += isnan(vf_reduce_max(x)) && isnan(vf_reduce_min(x));
  }
  printf("nan_wins %d\n", wins);
  printf("vi_reduce_sum %d\n", vi_reduce_sum(vi_splat(INT32_MAX) - count));
  printf("vi_reduce_prod %d\n", vi_reduce_prod(count * 2 + 3));
  printf("vi_reduce_max %d\n", vi_reduce_max(-count));
  printf("vi_reduce_min %d\n", vi_reduce_min(-count));
  return 0;
}
