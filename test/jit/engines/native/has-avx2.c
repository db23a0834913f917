// Says whether the processor has AVX2 and fused multiply-add.
#include <stdio.h>

int main(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  puts(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "yes" : "no");
#else
  puts("no");
#endif
  return 0;
}
