// `node bench/contract.js [flags of the compiler]` (build first): matrix products of jit/engines/native/c/contract.h in GFLOP/s on one
// core, and as a share of the most that fused multiply-adds in registers reach in the same run. Layouts: of a, b and o, n as rows
// lie one after the other, t transposed. The best of repeated runs; results of two machines don't compare.
import { cpus } from 'node:os';
import process from 'node:process';
import { compileC } from '../dist/jit/engines/native/compile-c.js';
import { contractScratch } from '../dist/jit/engines/native/contract-scratch.js';
import { loadLibrary } from '../dist/jit/engines/native/library.js';
import { alignedArray } from '../dist/jit/engines/native/pointers.js';

// [rows, inner, columns, layouts]
const PRODUCTS = [
  [64, 64, 32, 'nnn'],
  [64, 64, 32, 'tnn'],
  [64, 64, 32, 'ntn'],
  [64, 64, 32, 'nnt'],
  [64, 192, 32, 'nnn'],
  [192, 64, 32, 'tnn'],
  [64, 32, 10, 'nnn'],
  [32, 64, 10, 'tnn'],
  [64, 10, 32, 'ntn'],
  [10, 64, 32, 'nnn'],
  [4, 4, 4, 'nnn'],
  [8, 8, 8, 'nnn'],
  [1, 64, 64, 'nnn'],
  [1, 256, 256, 'nnn'],
  [1, 256, 256, 'ntn'],
  [256, 64, 1, 'nnn'],
  [256, 64, 1, 'tnn'],
  [128, 784, 128, 'nnn'],
  [784, 128, 128, 'tnn'],
  [128, 128, 784, 'ntn'],
  [784, 128, 784, 'nnn'],
  [784, 784, 128, 'nnn'],
  [784, 784, 3072, 'nnn'],
  [784, 784, 3072, 'tnn'],
  [784, 784, 3072, 'ntn'],
  [784, 784, 3072, 'nnt'],
  [1024, 1024, 1024, 'nnn'],
];

const layoutOf = ([rows, inner, columns, [a, b, o]]) => ({
  rows,
  inner,
  columns,
  ...(a === 'n' ? { aRow: inner, aInner: 1 } : { aRow: 1, aInner: rows }),
  ...(b === 'n' ? { bInner: columns, bColumn: 1 } : { bInner: 1, bColumn: inner }),
  ...(o === 'n' ? { oRow: columns, oColumn: 1 } : { oRow: 1, oColumn: rows }),
});

const functions = PRODUCTS.map((product, index) => {
  const { rows, inner, columns, aRow, aInner, bInner, bColumn, oRow, oColumn } = layoutOf(product);
  return `
LOPT_EXPORT double product_${index}(const float *a, const float *b, float *o, float *scratch, int64_t count) {
  const double start = seconds();
  for (int64_t i = 0; i < count; i += 1) {
    lopt_contract(a, ${aRow}, ${aInner}, b, ${bInner}, ${bColumn}, o, ${oRow}, ${oColumn}, ${rows}, ${columns}, ${inner}, 0, scratch);
    __asm__ volatile("" ::: "memory");
  }
  return seconds() - start;
}`;
});

const SOURCE = `
#include "contract.h"
#include "pool.h"
#include <time.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Seconds for fused multiply-adds in twelve chains, more than any processor needs to hide their latency.
#define CHAINS(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
LOPT_EXPORT double multiply_adds(float *data, int64_t count) {
  const vf factor = vf_splat(data[0]), term = vf_splat(data[1]);
#define CHAIN(i) vf x##i = vf_splat(data[i]);
  CHAINS(CHAIN)
#undef CHAIN
  const double start = seconds();
  for (int64_t i = 0; i < count; i += 1) {
#define CHAIN(i) x##i = vf_fma(x##i, factor, term);
    CHAINS(CHAIN)
#undef CHAIN
  }
  const double taken = seconds() - start;
#define CHAIN(i) data[i] = x##i[0];
  CHAINS(CHAIN)
  return taken;
}
LOPT_EXPORT int32_t lanes(void) { return LANES; }
${functions.join('\n')}
`;

/** Least seconds of one run in several measurements of a few milliseconds each. */
function best(measure) {
  let count = 1;
  while (measure(count) < 2e-3) count *= 2;
  let least = Infinity;
  for (let i = 0; i < 12; i += 1) least = Math.min(least, measure(count) / count);
  return least;
}

const flags = process.argv.slice(2);
const library = loadLibrary(await compileC(SOURCE, { flags }));
const lanes = library.declare('lanes', { result: 'int32', parameters: [] })();
const multiplyAdds = library.declare('multiply_adds', { result: 'float64', parameters: ['pointer', 'int64'] });
const chains = Float32Array.from({ length: 12 }, () => 0.5);
const peak = (12 * 2 * lanes) / best((count) => multiplyAdds(chains, count)) / 1e9;

const { model = 'unknown processor' } = cpus()[0] ?? {};
console.log(`${model}, one core, ${lanes} lanes${flags.map((flag) => ` ${flag}`).join('')}`);
console.log(`fused multiply-adds in registers: ${peak.toFixed(1)} GFLOP/s\n`);
console.log('rows x inner x columns  layout        ns  GFLOP/s  of peak');
for (const [index, product] of PRODUCTS.entries()) {
  const layout = layoutOf(product);
  const { rows, inner, columns } = layout;
  const sizes = [rows * inner, inner * columns, rows * columns, contractScratch(layout)];
  const arrays = sizes.map((size) => alignedArray(Float32Array, size).fill(0.5));
  const parameters = ['pointer', 'pointer', 'pointer', 'pointer', 'int64'];
  const run = library.declare(`product_${index}`, { result: 'float64', parameters });
  const seconds = best((count) => run(...arrays, count));
  const speed = (2 * rows * inner * columns) / seconds / 1e9;
  const cells = [
    `${rows} x ${inner} x ${columns}`.padEnd(22),
    product[3].padStart(7),
    (seconds * 1e9).toFixed(seconds < 1e-6 ? 1 : 0).padStart(10),
    speed.toFixed(1).padStart(8),
    `${((100 * speed) / peak).toFixed(0)} %`.padStart(8),
  ];
  console.log(cells.join(' '));
}
