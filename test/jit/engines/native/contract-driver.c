// Runs matrix products in memory whose neighbours must not be touched. A generated file defines `cases` and includes this one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_SCRATCH (LOPT_WIDEST_PANEL * LOPT_CHUNK)

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// Room for some floats between two pages that can't be read or written, close to the second or the first of them.
typedef struct {
  char *pages;
  size_t length;
  float *floats;
} guarded;
static guarded guard(size_t count, int at_end) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = count * sizeof(float);
  const size_t inside = (size + page - 1) / page * page;
  char *pages = mmap(0, inside + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fail("mmap");
  if (mprotect(pages, page, PROT_NONE) || mprotect(pages + page + inside, page, PROT_NONE)) fail("mprotect");
  return (guarded){pages, inside + 2 * page, (float *)(void *)(pages + page + (at_end ? inside - size : 0))};
}
static void release(guarded memory) { munmap(memory.pages, memory.length); }

static float *numbers(size_t count, FILE *file) {
  float *data = malloc(count * sizeof(float) + 1);
  if (!data || fread(data, sizeof(float), count, file) != count) fail("read");
  return data;
}

enum { CONSTANT_AT_END, CONSTANT_AT_START, ANY, IN_PIECES, WAYS };

static void run(const test_case *t, int way, const float *a, const float *b, float *o, float *scratch) {
  if (way == CONSTANT_AT_END || way == CONSTANT_AT_START) {
    t->run(a, b, o, scratch);
    return;
  }
  if (way == ANY) {
    lopt_contract_any(a, t->a_row, t->a_inner, b, t->b_inner, t->b_column, o, t->o_row, t->o_column, t->rows,
                      t->columns, t->inner, t->adds, scratch);
    return;
  }
  // What is meant for constants, with numbers known when it runs; nine pieces of the result.
  for (long i = 0; i < 3; i += 1)
    for (long j = 0; j < 3; j += 1) {
      const long r = t->rows * i / 3, rows = t->rows * (i + 1) / 3 - r;
      const long c = t->columns * j / 3, columns = t->columns * (j + 1) / 3 - c;
      lopt_contract(a + r * t->a_row, t->a_row, t->a_inner, b + c * t->b_column, t->b_inner, t->b_column,
                    o + r * t->o_row + c * t->o_column, t->o_row, t->o_column, rows, columns, t->inner, t->adds, scratch);
    }
}

// Reads the operands of all cases, one after the other, and writes what every way makes of o.
int main(int count, char **parameters) {
  if (count != 3) return 2;
  FILE *input = fopen(parameters[1], "rb"), *output = fopen(parameters[2], "wb");
  if (!input || !output) fail("open");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i += 1) {
    const test_case *t = &cases[i];
    float *a = numbers(t->a_size, input), *b = numbers(t->b_size, input), *o = numbers(t->o_size, input);
    for (int way = 0; way < WAYS; way += 1) {
      const int at_end = way != CONSTANT_AT_START;
      // Pieces may have another plan than the whole.
      const guarded left = guard(t->a_size, at_end), right = guard(t->b_size, at_end), out = guard(t->o_size, at_end);
      const guarded scratch = guard(way == IN_PIECES ? MOST_SCRATCH : t->scratch, at_end);
      memcpy(left.floats, a, t->a_size * sizeof(float));
      memcpy(right.floats, b, t->b_size * sizeof(float));
      memcpy(out.floats, o, t->o_size * sizeof(float));
      run(t, way, left.floats + t->a_first, right.floats + t->b_first, out.floats + t->o_first, scratch.floats);
      if (fwrite(out.floats, sizeof(float), t->o_size, output) != t->o_size) fail("write");
      release(left);
      release(right);
      release(out);
      release(scratch);
    }
    free(a);
    free(b);
    free(o);
  }
  if (fclose(output)) fail("write");
  return 0;
}
