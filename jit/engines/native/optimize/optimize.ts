import type { Program } from '../ir/program.ts';
import { coalesce } from './coalesce.ts';
import { dropDead } from './drop-dead.ts';
import { fuseKernels } from './fuse-kernels.ts';

/** The same program with fewer loops and less memory traffic. */
export function optimize(program: Program): Program {
  const { buffers } = program;
  const fused = dropDead(fuseKernels(dropDead(program.body, buffers)), buffers);
  return { ...program, body: dropDead(coalesce(fused, buffers), buffers) };
}
