/**
 * lopt's public interface: load an optimizer, use it over plain arrays or in TensorFlow.js, export it, read and write its files.
 * Everything here but what reads paths runs in a browser too.
 */
export { loadOptimizer, shippedNames, type OptimizerReference } from './checkpoints/load-optimizer.ts';
export type { ExportShapes, LoadedOptimizer, UpdateOptions } from './checkpoints/loaded-optimizer.ts';

export type { ArrayRun, Gradients, StartOptions } from './lopt/adapters/arrays.ts';
export type { EngineChoice } from './lopt/adapters/default-engine.ts';
export type { RunState } from './lopt/adapters/run-state.ts';
export { TfjsOptimizer, type TfjsOptions, type VariableFacts } from './lopt/adapters/tfjs.ts';

export { exportOptimizer, type ExportedModels, type ExportOptions } from './checkpoints/export.ts';
export { CheckpointError } from './checkpoints/checkpoint-error.ts';
export {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  thetaOf,
  thetaTensors,
} from './checkpoints/checkpoint.ts';
export { type TensorFile, decodeSafetensors, encodeSafetensors } from './checkpoints/safetensors.ts';

export { OPTIMIZERS, createLearned, createOptimizer } from './lopt/registry.ts';
export { type DataSet, type GivenImages, imageDataSet } from './tasks/data-sets/data-set.ts';
export type { LoadedDataSets } from './tasks/files/load-data-sets.ts';
export { TASK_FAMILIES } from './tasks/registry.ts';
export { createTaskWithData as createTask, loadDataSets } from './tasks/shipped-data.ts';
export { createEngine } from './jit/engines/create-engine.ts';
export { rootKey } from './jit/random/key.ts';

export type { Engine } from './jit/engines/engine.ts';
export type { HostArray } from './jit/graph/graph.ts';
export type { LearnedOptimizer, Optimizer, ParamSpec, ParamSpecs, Role } from './lopt/optimizer.ts';
export type { Task } from './tasks/task.ts';
