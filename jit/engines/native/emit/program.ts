import type { Buffer, BufferId, Program, Statement } from '../ir/program.ts';
import { type MemoryPlan, planMemory } from '../optimize/plan-memory.ts';
import { printStatement } from '../ir/print.ts';
import { ELEMENT_TYPE, commentText, counterName, indexText, literal } from './c-text.ts';
import { emitContraction } from './contraction.ts';
import { emitKernel } from './kernel.ts';

/** A program as C, and what a caller must know of it. */
export interface EmittedProgram {
  readonly source: string;
  /** Bytes of memory that one call needs for itself. */
  readonly arenaBytes: number;
}

/** Name of the function that runs particles; its signature is in c/particles.h. */
export const ENTRY = 'lopt_run_particles';

/**
 * The C source of a program: a function that runs one particle on pointers to its inputs and outputs, and one that runs many on a pool.
 * The same source serves every instruction set.
 */
export function emitProgram(program: Program): EmittedProgram {
  return new ProgramEmitter(program).emit();
}

class ProgramEmitter {
  readonly #program: Program;
  readonly #memory: MemoryPlan;
  readonly #functions: string[] = [];
  #scratchFloats = 0;
  readonly #ports = new Map<BufferId, number>();

  constructor(program: Program) {
    this.#program = program;
    this.#memory = planMemory(program);
    [...program.inputs, ...program.outputs].forEach(({ buffer }, index) => this.#ports.set(buffer, index));
  }

  emit(): EmittedProgram {
    const { name, body, inputs, outputs } = this.#program;
    const main = this.#block(body, [], 1);
    const source = [
      `// ${commentText(name)}`,
      '#include "kernel.h"',
      '#include "contract.h"',
      '#include "particles.h"',
      '',
      ...[...inputs, ...outputs].map(
        (port, index) => `// ports[${index}] ${index < inputs.length ? 'input' : 'output'} ${commentText(port.name)}`,
      ),
      '',
      ...this.#constants(),
      ...this.#functions,
      'static void particle(void *const *ports, char *arena) {',
      ...main,
      '}',
      '',
      `LOPT_PARTICLES(particle, ${this.#ports.size})`,
      '',
    ].join('\n');
    return { source, arenaBytes: this.#scratchOffset() + this.#scratchFloats * 4 };
  }

  #scratchOffset(): number {
    return this.#memory.sizeBytes;
  }

  #constants(): readonly string[] {
    return this.#program.buffers.flatMap(({ kind, data, dtype }, id) => {
      if (kind !== 'constant' || data === undefined) return [];
      const values = [...data].map((value) => (dtype === 'bool' ? String(value) : literal(value, dtype)));
      return [`static const ${ELEMENT_TYPE[dtype]} c${id}[] = {${values.join(', ')}};`, ''];
    });
  }

  readonly #address = (buffer: BufferId): string => {
    const { kind, dtype } = this.#program.buffers[buffer] as Buffer;
    const type = ELEMENT_TYPE[dtype];
    if (kind === 'constant') return `c${buffer}`;
    const port = this.#ports.get(buffer);
    if (port !== undefined) return `((${type} *)ports[${port}])`;
    return `((${type} *)(arena + ${this.#memory.offsets.get(buffer) ?? 0}))`;
  };

  /** The lines of a list of statements inside repeats with these counters. */
  #block(block: readonly Statement[], counters: readonly number[], indent: number): readonly string[] {
    const pad = '  '.repeat(indent);
    return block.flatMap((statement): readonly string[] => {
      switch (statement.kind) {
        case 'kernel': {
          const lines = emitKernel(statement, {
            buffers: this.#program.buffers,
            address: this.#address,
          });
          return [`${pad}${this.#function(statement, lines, counters)}`];
        }
        case 'contraction': {
          const scratch = `(float *)(arena + ${this.#scratchOffset()})`;
          const { lines, scratch: floats } = emitContraction(statement, { address: this.#address, scratch });
          this.#scratchFloats = Math.max(this.#scratchFloats, floats);
          return [`${pad}${this.#function(statement, lines, counters)}`];
        }
        case 'repeat': {
          const { counter, extent } = statement.loop;
          const name = counterName(counter);
          return [
            `${pad}for (long ${name} = 0; ${name} < ${extent}; ${name}++) { // ${commentText(statement.name)}`,
            ...this.#block(statement.body, [...counters, counter], indent + 1),
            `${pad}}`,
          ];
        }
        case 'branch':
          break;
      }
      const { condition, then, otherwise } = statement;
      const test = `${this.#address(condition.buffer)}[${indexText(condition.index, String)}]`;
      return [
        `${pad}if (${test}) {`,
        ...this.#block(then, counters, indent + 1),
        ...(otherwise.length === 0 ? [] : [`${pad}} else {`, ...this.#block(otherwise, counters, indent + 1)]),
        `${pad}}`,
      ];
    });
  }

  /** Puts lines into a function of their own; gives its call. */
  #function(statement: Statement, lines: readonly string[], counters: readonly number[]): string {
    const { name } = statement;
    const origin = printStatement(this.#program, statement).map((line) => `// ${commentText(line)}`);
    const id = `k${this.#functions.length}`;
    const parameters = [
      'void *const *ports',
      'char *arena',
      ...counters.map((counter) => `long ${counterName(counter)}`),
    ];
    this.#functions.push(
      [...origin, `static __attribute__((noinline)) void ${id}(${parameters.join(', ')}) {`, ...lines, '}', ''].join(
        '\n',
      ),
    );
    return `${id}(${['ports', 'arena', ...counters.map(counterName)].join(', ')}); // ${commentText(name)}`;
  }
}
