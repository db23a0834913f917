// Matrix products: o[r, c] = sum over k of a[r, k] * b[k, c], with any strides. One accumulator in registers for each element of a tile of
// o; for each k, a vector of b is loaded and an element of a is spread over the lanes.
//
// The order of a sum is the same for every element, wherever it lies and however wide vectors are: k upwards, one fused multiply-add after
// the other from zero, in chunks of LOPT_CHUNK; the sum of each chunk is added to what is there. So a product gives the same bits
// whole or cut into pieces by rows and columns (for threads, say). NaN and infinity pass through: nothing is skipped where a factor is 0.
//
// Source: tiles in registers, panels packed for the caches: Goto and van de Geijn, Anatomy of high-performance matrix multiplication
// (ACM Trans. Math. Softw. 34, 2008). Differs: one operand is packed at most, a panel at a time; the other one is read in place, since
// out-of-order loads of single elements keep up with the multiply-adds.
//
// Compile time: the loops over tiles are functions that all products of a translation unit share. They and the rest cost a tenth of a
// second once; then a height of tiles that is used about 13 ms, and a product 2 to 3 ms.
#ifndef LOPT_CONTRACT_H
#define LOPT_CONTRACT_H

#include "first-lanes.h"

// Steps of the inner axis that one accumulator sums. A panel of b is then 64 kB at most, which stays in the second cache, and rounding
// errors add up over 512 terms and over the chunks, not over all terms.
#define LOPT_CHUNK 512
// Columns of a packed panel, and for how many there is scratch, whatever LANES.
#define LOPT_PANEL (LANES == 16 ? 32 : 16)
#define LOPT_WIDEST_PANEL 32
// Most rows of a tile that is one vector wide, and of one of two: these, two vectors of b and one of a fit the registers, 32 with AVX-512
// and on ARM, else 16.
#define LOPT_NARROW_ROWS 8
#if LANES == 16 || defined(__aarch64__)
#define LOPT_WIDE_ROWS 8
#elif LANES == 8
#define LOPT_WIDE_ROWS 6
#else
#define LOPT_WIDE_ROWS 4
#endif

#define LOPT_SHARED static __attribute__((noinline, unused))

// ---- Tiles

// What the tiles of a panel of columns have in common. Columns of b and o are neighbours here.
typedef struct {
  long a_row, a_inner, b_inner, o_row, inner, columns;
  int adds;
} lopt_panel;

// Some blocks of rows, one below the other, of one panel.
typedef void lopt_tiles(const lopt_panel *panel, const float *a, const float *b, float *o, long blocks);

LOPT_INLINE void lopt_put(float *o, vf x, int adds) { vf_store(o, adds ? vf_load(o) + x : x); }
LOPT_INLINE void lopt_put_first(float *o, vf x, int adds, lopt_first first) {
  lopt_store_first(o, adds ? lopt_load_first(o, first) + x : x, first);
}

// Blocks of `rows` rows (up to 8) by `vectors` vectors (1, 2, or 4 with up to 2 rows), both constants. One vector may be partial.
LOPT_INLINE void lopt_tile(const long rows, const int vectors, const lopt_panel *panel, const float *restrict a,
                           const float *restrict b, float *restrict o, long blocks) {
#define LOPT_ROWS(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
  const long a_row = panel->a_row, a_inner = panel->a_inner, b_inner = panel->b_inner, o_row = panel->o_row;
  const long inner = panel->inner;
  const int adds = panel->adds;
  const lopt_first first = lopt_first_lanes(vectors == 1 ? panel->columns : LANES);
  for (; blocks > 0; blocks -= 1) {
    const float *left = a, *right = b;
#define LOPT_ROW(r) vf s##r = {0}, t##r = {0}, u##r = {0}, v##r = {0};
    LOPT_ROWS(LOPT_ROW)
#undef LOPT_ROW
    for (long k = inner; k > 0; k -= 1) {
      const vf s = vectors == 1 ? lopt_load_first(right, first) : vf_load(right);
      const vf t = vectors > 1 ? vf_load(right + LANES) : (vf){0};
      const vf u = vectors == 4 ? vf_load(right + 2 * LANES) : (vf){0};
      const vf v = vectors == 4 ? vf_load(right + 3 * LANES) : (vf){0};
#define LOPT_ROW(r)                                       \
  if (r < rows) {                                         \
    const vf x = vf_splat(left[r * a_row]);               \
    s##r = vf_fma(x, s, s##r);                            \
    if (vectors > 1) t##r = vf_fma(x, t, t##r);           \
    if (vectors == 4 && r < 2) u##r = vf_fma(x, u, u##r); \
    if (vectors == 4 && r < 2) v##r = vf_fma(x, v, v##r); \
  }
      LOPT_ROWS(LOPT_ROW)
#undef LOPT_ROW
      left += a_inner;
      right += b_inner;
    }
#define LOPT_ROW(r)                                                   \
  if (r < rows) {                                                     \
    float *out = o + r * o_row;                                       \
    if (vectors == 1) lopt_put_first(out, s##r, adds, first);         \
    if (vectors > 1) lopt_put(out, s##r, adds);                       \
    if (vectors > 1) lopt_put(out + LANES, t##r, adds);               \
    if (vectors == 4 && r < 2) lopt_put(out + 2 * LANES, u##r, adds); \
    if (vectors == 4 && r < 2) lopt_put(out + 3 * LANES, v##r, adds); \
  }
    LOPT_ROWS(LOPT_ROW)
#undef LOPT_ROW
    a += rows * a_row;
    o += rows * o_row;
  }
#undef LOPT_ROWS
}

#define LOPT_TILES(rows, vectors)                                                                                  \
  LOPT_SHARED void lopt_tiles_##rows##_##vectors(const lopt_panel *panel, const float *a, const float *b, float *o, \
                                                 long blocks) {                                                    \
    lopt_tile(rows, vectors, panel, a, b, o, blocks);                                                              \
  }
#define LOPT_TILES_OF(rows) LOPT_TILES(rows, 1) LOPT_TILES(rows, 2)
#define LOPT_CASE(rows, vectors) \
  case rows: return lopt_tiles_##rows##_##vectors;

LOPT_TILES_OF(1)
LOPT_TILES_OF(2)
LOPT_TILES_OF(3)
LOPT_TILES_OF(4)
LOPT_TILES_OF(5)
LOPT_TILES_OF(6)
LOPT_TILES_OF(7)
LOPT_TILES_OF(8)
LOPT_TILES(1, 4)
LOPT_TILES(2, 4)

LOPT_INLINE lopt_tiles *lopt_tiles_for(long rows, int vectors) {
  if (vectors == 1) switch (rows) {
      LOPT_CASE(1, 1)
      LOPT_CASE(2, 1)
      LOPT_CASE(3, 1)
      LOPT_CASE(4, 1)
      LOPT_CASE(5, 1)
      LOPT_CASE(6, 1)
      LOPT_CASE(7, 1)
      default: LOPT_CASE(8, 1)
    }
  if (vectors == 4) return rows == 1 ? lopt_tiles_1_4 : lopt_tiles_2_4;
  switch (rows) {
    LOPT_CASE(1, 2)
    LOPT_CASE(2, 2)
    LOPT_CASE(3, 2)
#if LOPT_WIDE_ROWS == 4
    default: LOPT_CASE(4, 2)
#else
    LOPT_CASE(4, 2)
    LOPT_CASE(5, 2)
#if LOPT_WIDE_ROWS == 6
    default: LOPT_CASE(6, 2)
#else
    LOPT_CASE(6, 2)
    LOPT_CASE(7, 2)
    default: LOPT_CASE(8, 2)
#endif
#endif
  }
}
#undef LOPT_CASE
#undef LOPT_TILES_OF
#undef LOPT_TILES

// ---- Packing

#if LOPT_HAS(__builtin_shufflevector)
#define LOPT_MIX(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define LOPT_MIX(x, y, ...) __builtin_shuffle(x, y, (int32_t __attribute__((vector_size(16)))){__VA_ARGS__})
#endif

LOPT_INLINE lopt_four lopt_load_four(const float *p) { return (lopt_four)*(const lopt_four_memory *)p; }
LOPT_INLINE void lopt_store_four(float *p, lopt_four x) { *(lopt_four_memory *)p = (lopt_four_memory)x; }

// to[i * to_i + j * to_j] = from[i * from_i + j * from_j]
LOPT_SHARED void lopt_rearrange(const float *restrict from, long from_i, long from_j, float *restrict to, long to_i,
                                long to_j, long i_count, long j_count) {
  // Squares of 4 by 4 are transposed in registers, in strips, so that what is written stays in the first cache from one i to the next.
  const long fours = from_j == 1 && to_i == 1 ? i_count / 4 * 4 : 0;
  const long deep = j_count / 4 * 4;
  for (long strip = 0; fours > 0 && strip < deep; strip += 64) {
    const long end = strip + 64 < deep ? strip + 64 : deep;
    for (long i = 0; i < fours; i += 4) {
      const float *in = from + i * from_i + strip;
      float *out = to + i + strip * to_j;
      for (long j = strip; j < end; j += 4) {
        const lopt_four w = lopt_load_four(in), x = lopt_load_four(in + from_i);
        const lopt_four y = lopt_load_four(in + 2 * from_i), z = lopt_load_four(in + 3 * from_i);
        const lopt_four wx = LOPT_MIX(w, x, 0, 4, 1, 5), wx_high = LOPT_MIX(w, x, 2, 6, 3, 7);
        const lopt_four yz = LOPT_MIX(y, z, 0, 4, 1, 5), yz_high = LOPT_MIX(y, z, 2, 6, 3, 7);
        lopt_store_four(out, LOPT_MIX(wx, yz, 0, 1, 4, 5));
        lopt_store_four(out + to_j, LOPT_MIX(wx, yz, 2, 3, 6, 7));
        lopt_store_four(out + 2 * to_j, LOPT_MIX(wx_high, yz_high, 0, 1, 4, 5));
        lopt_store_four(out + 3 * to_j, LOPT_MIX(wx_high, yz_high, 2, 3, 6, 7));
        in += 4;
        out += 4 * to_j;
      }
    }
  }
  for (long i = 0; i < i_count; i += 1)
    for (long j = i < fours ? deep : 0; j < j_count; j += 1) to[i * to_i + j * to_j] = from[i * from_i + j * from_j];
}

// Copies b[k, c], for `inner` values of k and `columns` (up to LOPT_PANEL) of c, to panel[k * LOPT_PANEL + c].
LOPT_SHARED void lopt_pack(const float *restrict b, long b_inner, long b_column, long columns, long inner,
                           float *restrict panel) {
  if (b_column != 1 || columns < LOPT_PANEL) {
    lopt_rearrange(b, b_column, b_inner, panel, 1, LOPT_PANEL, columns, inner);
    return;
  }
  for (long k = 0; k < inner; k += 1)
    for (long c = 0; c < LOPT_PANEL; c += LANES) vf_store(panel + k * LOPT_PANEL + c, vf_load(b + k * b_inner + c));
}

// ---- The plan of a product

#define LOPT_NEIGHBOURS(stride, extent) ((stride) == 1 || (extent) == 1)
// What a product costs with its columns in the lanes, in thirds of a vector operation of 16 lanes, the widest (the plan is the same for
// all): multiply-adds; transposing b, a third an element; taking o apart, one an element.
#define LOPT_CONTRACT_COST(b_column, o_column, rows, columns, inner)           \
  (3L * (rows) * (inner) * (((columns) + 15) / 16) +                           \
   (LOPT_NEIGHBOURS(b_column, columns) ? 0 : 1L * (inner) * (columns)) +       \
   (LOPT_NEIGHBOURS(o_column, columns) ? 0 : 3L * (rows) * (columns)))
// Whether rows are in the lanes instead: the transposed product.
#define LOPT_CONTRACT_SWAPS(a_row, b_column, o_row, o_column, rows, columns, inner) \
  (LOPT_CONTRACT_COST(a_row, o_row, columns, rows, inner) <                         \
   LOPT_CONTRACT_COST(b_column, o_column, rows, columns, inner))
// Floats of a panel of b, 0 where b is read in place: its columns are neighbours, and the panel doesn't lie scattered over more memory
// than the caches and their address tables hold, or isn't read often enough to be worth a copy.
#define LOPT_CONTRACT_PANEL(b_inner, b_column, rows, columns, inner)                                       \
  (!LOPT_NEIGHBOURS(b_column, columns) ||                                                                  \
           ((rows) >= 32 && 1L * ((inner) < LOPT_CHUNK ? (inner) : LOPT_CHUNK) *                           \
                                    ((b_inner) < 0 ? -(b_inner) : (b_inner)) > 65536)                      \
       ? LOPT_WIDEST_PANEL * ((inner) < LOPT_CHUNK ? (inner) : LOPT_CHUNK)                                 \
       : 0)
// Floats of scratch that a product needs: a constant expression where the arguments are. contract-scratch.ts has the same rule.
#define lopt_contract_scratch(a_row, a_inner, b_inner, b_column, o_row, o_column, rows, columns, inner) \
  (LOPT_CONTRACT_SWAPS(a_row, b_column, o_row, o_column, rows, columns, inner)                          \
       ? LOPT_CONTRACT_PANEL(a_inner, a_row, columns, rows, inner)                                      \
       : LOPT_CONTRACT_PANEL(b_inner, b_column, rows, columns, inner))

// How rows are cut: blocks of the same height, and what computes them; from top to bottom.
typedef struct {
  int count;
  struct {
    long rows, blocks;
    lopt_tiles *tiles;
  } group[3];
} lopt_cut;

typedef struct {
  const float *a, *b;
  float *o, *scratch;
  long a_row, a_inner, b_inner, b_column, o_row, o_column, rows, columns, inner;
  int adds, packs;
  // For columns by single vectors, by twos and by fours; count is 0 where there are none.
  lopt_cut narrow, wide, widest;
} lopt_product;

LOPT_INLINE lopt_product lopt_plan(const float *a, long a_row, long a_inner, const float *b, long b_inner,
                                   long b_column, float *o, long o_row, long o_column, long rows, long columns,
                                   long inner, int adds, float *scratch) {
  const int swaps = LOPT_CONTRACT_SWAPS(a_row, b_column, o_row, o_column, rows, columns, inner);
  lopt_product p;
  p.a = swaps ? b : a;
  p.a_row = swaps ? b_column : a_row;
  p.a_inner = swaps ? b_inner : a_inner;
  p.b = swaps ? a : b;
  p.b_inner = swaps ? a_inner : b_inner;
  p.b_column = swaps ? a_row : b_column;
  p.o = o;
  p.o_row = swaps ? o_column : o_row;
  p.o_column = swaps ? o_row : o_column;
  p.rows = swaps ? columns : rows;
  p.columns = swaps ? rows : columns;
  p.inner = inner;
  p.adds = adds;
  p.scratch = scratch;
  p.packs = LOPT_CONTRACT_PANEL(p.b_inner, p.b_column, p.rows, p.columns, p.inner) > 0;
  if (p.columns == 1) p.b_column = p.o_column = 1;
  p.narrow.count = p.wide.count = p.widest.count = 0;
  return p;
}

LOPT_INLINE int lopt_has_narrow(const lopt_product *p) { return p->columns % (2 * LANES) > 0; }
LOPT_INLINE int lopt_has_wide(const lopt_product *p) { return p->columns >= 2 * LANES; }
// With one row or two, two vectors are too few accumulators to hide the time that an addition takes. A packed panel may be narrower.
LOPT_INLINE int lopt_has_widest(const lopt_product *p) {
  return p->rows <= 2 && p->columns >= 4 * LANES && p->o_column == 1 && (4 * LANES <= LOPT_PANEL || !p->packs);
}

LOPT_INLINE void lopt_add_group(lopt_cut *cut, long rows, long blocks, int vectors) {
  if (blocks == 0) return;
  cut->group[cut->count].rows = rows;
  cut->group[cut->count].blocks = blocks;
  cut->group[cut->count].tiles = lopt_tiles_for(rows, vectors);
  cut->count += 1;
}

// As few blocks as there can be, all of about the same height.
LOPT_INLINE void lopt_cut_evenly(lopt_cut *cut, long rows, long highest, int vectors) {
  const long blocks = (rows + highest - 1) / highest;
  lopt_add_group(cut, rows / blocks + 1, rows % blocks, vectors);
  lopt_add_group(cut, rows / blocks, blocks - rows % blocks, vectors);
}

// Three heights only: every further one would have to be compiled.
LOPT_INLINE void lopt_cut_simply(lopt_cut *cut, long rows, long highest, int vectors) {
  const long half = highest / 2;
  lopt_add_group(cut, highest, rows / highest, vectors);
  lopt_add_group(cut, half, rows % highest / half, vectors);
  lopt_add_group(cut, 1, rows % half, vectors);
}

// All rows of some columns, as many as one tile has.
LOPT_INLINE void lopt_run_panel(const lopt_product *p, const lopt_cut *cut, lopt_panel *panel, const float *a,
                                const float *b, float *o) {
  const int adds = panel->adds;
  for (int i = 0; i < cut->count; i += 1) {
    const long rows = cut->group[i].rows;
    if (p->o_column == 1) {
      cut->group[i].tiles(panel, a, b, o, cut->group[i].blocks);
      a += cut->group[i].blocks * rows * p->a_row;
      o += cut->group[i].blocks * rows * p->o_row;
      continue;
    }
    // Where the columns of o are no neighbours: by way of a tile where they are.
    float tile[8 * LOPT_PANEL];
    panel->o_row = LOPT_PANEL;
    for (long block = 0; block < cut->group[i].blocks; block += 1) {
      if (adds) lopt_rearrange(o, p->o_column, p->o_row, tile, 1, LOPT_PANEL, panel->columns, rows);
      cut->group[i].tiles(panel, a, b, tile, 1);
      lopt_rearrange(tile, LOPT_PANEL, 1, o, p->o_row, p->o_column, rows, panel->columns);
      a += rows * p->a_row;
      o += rows * p->o_row;
    }
  }
}

LOPT_SHARED void lopt_run(const lopt_product *p) {
  lopt_panel panel = {p->a_row, p->a_inner, p->packs ? LOPT_PANEL : p->b_inner, p->o_row, 0, 0, p->adds};
  long k = 0;
  do {
    panel.inner = p->inner - k < LOPT_CHUNK ? p->inner - k : LOPT_CHUNK;
    for (long c = 0; c < p->columns; c += panel.columns) {
      const float *b = p->b + k * p->b_inner + c * p->b_column;
      const long rest = p->columns - c;
      if (p->packs) {
        if (c % LOPT_PANEL == 0)
          lopt_pack(b, p->b_inner, p->b_column, rest < LOPT_PANEL ? rest : LOPT_PANEL, panel.inner, p->scratch);
        b = p->scratch + c % LOPT_PANEL;
      }
      const lopt_cut *cut = &p->narrow;
      panel.columns = rest < LANES ? rest : LANES;
      if (p->widest.count > 0 && rest >= 4 * LANES) {
        cut = &p->widest;
        panel.columns = 4 * LANES;
      } else if (rest >= 2 * LANES) {
        cut = &p->wide;
        panel.columns = 2 * LANES;
      }
      lopt_run_panel(p, cut, &panel, p->a + k * p->a_inner, b, p->o + c * p->o_column);
    }
    k += panel.inner;
    panel.adds = 1;
  } while (k < p->inner);
}

// ---- What programs call

// o[r * o_row + c * o_column] becomes (with `adds`: grows by) the sum over k < inner of a[r * a_row + k * a_inner] *
// b[k * b_inner + c * b_column], for r < rows and c < columns. Strides are in elements, of any sign. Pointers need the alignment of a
// float; o overlaps neither a nor b, and none of its elements coincide. scratch has room for lopt_contract_scratch of the same numbers
// (null where that is 0). Meant for numbers that are constants; where they are not it is right, but compiles all there is:
// lopt_contract_any is for that.
LOPT_INLINE void lopt_contract(const float *a, long a_row, long a_inner, const float *b, long b_inner, long b_column,
                               float *o, long o_row, long o_column, long rows, long columns, long inner, int adds,
                               float *scratch) {
  if (rows <= 0 || columns <= 0) return;
  lopt_product p = lopt_plan(a, a_row, a_inner, b, b_inner, b_column, o, o_row, o_column, rows, columns, inner, adds,
                             scratch);
  // Tiny: where calls would take as long as the work.
  if (__builtin_constant_p(p.rows * p.columns * p.inner) && p.rows <= LOPT_NARROW_ROWS && p.columns <= LANES &&
      p.rows * p.inner <= 64 && !p.packs && p.o_column == 1) {
    const lopt_panel panel = {p.a_row, p.a_inner, p.b_inner, p.o_row, p.inner, p.columns, p.adds};
    lopt_tile(p.rows, 1, &panel, p.a, p.b, p.o, 1);
    return;
  }
  if (lopt_has_narrow(&p)) lopt_cut_evenly(&p.narrow, p.rows, LOPT_NARROW_ROWS, 1);
  if (lopt_has_wide(&p)) lopt_cut_evenly(&p.wide, p.rows, LOPT_WIDE_ROWS, 2);
  if (lopt_has_widest(&p)) lopt_cut_evenly(&p.widest, p.rows, 2, 4);
  lopt_run(&p);
}

// The same, bit for bit, for numbers known when it runs.
LOPT_SHARED void lopt_contract_any(const float *a, long a_row, long a_inner, const float *b, long b_inner,
                                   long b_column, float *o, long o_row, long o_column, long rows, long columns,
                                   long inner, int adds, float *scratch) {
  if (rows <= 0 || columns <= 0) return;
  lopt_product p = lopt_plan(a, a_row, a_inner, b, b_inner, b_column, o, o_row, o_column, rows, columns, inner, adds,
                             scratch);
  if (lopt_has_narrow(&p)) lopt_cut_simply(&p.narrow, p.rows, LOPT_NARROW_ROWS, 1);
  if (lopt_has_wide(&p)) lopt_cut_simply(&p.wide, p.rows, LOPT_WIDE_ROWS, 2);
  if (lopt_has_widest(&p)) lopt_cut_evenly(&p.widest, p.rows, 2, 4);
  lopt_run(&p);
}

#endif
