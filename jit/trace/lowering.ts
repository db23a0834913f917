import { CONTRACTIONS } from './lowering/contractions.ts';
import { CREATION } from './lowering/creation.ts';
import { ELEMENTWISE } from './lowering/elementwise.ts';
import { INDEXING } from './lowering/indexing.ts';
import type { KernelTable } from './lowering/kernel-rule.ts';
import { REDUCTIONS } from './lowering/reductions.ts';
import { SHAPES } from './lowering/shapes.ts';

/** How each TensorFlow.js kernel is said in primitives, by kernel name: one table, composed of one a family. */
export const LOWERING: KernelTable = {
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...CONTRACTIONS,
  ...SHAPES,
  ...INDEXING,
  ...CREATION,
};
