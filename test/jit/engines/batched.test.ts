import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEngine } from '../../../jit/engines/create-engine.ts';
import { type HostArray, allocate, sizeOf } from '../../../jit/graph/graph.ts';
import { difference } from './compare.ts';
import { hasCompiler } from './native/c-compiler.ts';
import { graphOf, plainCase } from './primitive-cases.ts';
import { evaluate } from './reference.ts';

const PARTICLES = 3;
const native = (await hasCompiler()) ? ([['native', 'cpu']] as const) : [];

/** Arrays of one type, one after another along a new leading axis. */
function stacked(arrays: readonly HostArray[]): HostArray {
  const { shape, dtype } = arrays[0] as HostArray;
  const data = allocate(dtype, arrays.length * sizeOf(shape));
  arrays.forEach((array, index) => data.set(array.data, index * sizeOf(shape)));
  return { shape: [arrays.length, ...shape], dtype, data };
}

/** One particle's part of an array with a leading particle axis. */
function particle({ shape, dtype, data }: HostArray, index: number): HostArray {
  const rest = shape.slice(1);
  return { shape: rest, dtype, data: data.slice(index * sizeOf(rest), (index + 1) * sizeOf(rest)) };
}

describe('particles are as many separate runs', () => {
  test.each([['onnx', 'cpu'], ['eager', 'cpu'], ['eager', 'wasm'], ...native] as const)(
    '%s on %s',
    async (name, device) => {
      const engine = await createEngine(name, { device, threads: 1 });
      // A particle's values are another case of the same kind and shapes: the case's own, rolled.
      const many = fc.tuple(fc.array(plainCase, { minLength: 120, maxLength: 120 }), fc.infiniteStream(fc.boolean()));
      for (const [cases, flags] of fc.sample(many, { numRuns: 2, seed: 77 })) {
        const { graph, inputs } = graphOf(cases);
        const mapped = new Set([...inputs.keys()].filter(() => flags.next().value));
        const own = Array.from({ length: PARTICLES }, (_, shift): Map<string, HostArray> => {
          const rolled = ([port, { shape, dtype, data }]: [string, HostArray]): [string, HostArray] => {
            if (!mapped.has(port) || data.length === 0) return [port, { shape, dtype, data }];
            const next = allocate(dtype, data.length);
            data.forEach((_, place) => (next[place] = data[(place + shift) % data.length] as number));
            return [port, { shape, dtype, data: next }];
          };
          return new Map([...inputs].map(rolled));
        });
        const executable = await engine.compile(graph, { particles: PARTICLES, mapped });
        const handles = new Map(
          [...inputs].map(([port, array]) => {
            const all = own.map((arrays) => arrays.get(port) as HostArray);
            return [port, engine.upload(mapped.has(port) ? stacked(all) : array)];
          }),
        );
        const outputs = await executable.run(handles);
        const wants = own.map((arrays) => evaluate(graph, arrays));
        const wrong: string[] = [];
        for (const [output, handle] of outputs) {
          const got = await engine.download(handle);
          wants.forEach((want, index) => {
            const found = difference(particle(got, index), want.get(output) as HostArray);
            if (found !== undefined)
              wrong.push(`${output} ${cases[Number(output.split('/')[0])]?.text}, particle ${index}: ${found}`);
          });
        }
        expect(wrong).toEqual([]);
        for (const handle of [...handles.values(), ...outputs.values()]) handle.dispose();
        executable.dispose();
      }
      await engine.dispose();
    },
  );
});
