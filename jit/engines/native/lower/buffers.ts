import type { DType, TypedArray } from '../../../graph/graph.ts';
import type { Buffer, BufferId } from '../ir/program.ts';

/** Buffers and counters of a program that is being made. */
export class ProgramParts {
  readonly buffers: Buffer[] = [];
  #counters = 0;

  buffer(buffer: Buffer): BufferId {
    return this.buffers.push(buffer) - 1;
  }

  local(name: string, dtype: DType, size: number): BufferId {
    return this.buffer({ name, dtype, size, kind: 'local' });
  }

  constant(name: string, dtype: DType, data: TypedArray, size: number): BufferId {
    return this.buffer({ name, dtype, size, kind: 'constant', data });
  }

  /** A number that no other loop has. */
  counter(): number {
    this.#counters += 1;
    return this.#counters - 1;
  }
}
