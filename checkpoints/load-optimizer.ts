/** Loading an optimizer, whatever it is given as. */
import type { Arrays, Optimizer, ParamSpecs } from '../lopt/optimizer.ts';
import { isRecord, valueText } from '../lopt/options.ts';
import { type Reference, parseReference, referenceText } from '../lopt/reference.ts';
import { type CreateContext, OPTIMIZERS, createOptimizer } from '../lopt/registry.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { type Checkpoint, decodeCheckpoint, thetaOf } from './checkpoint.ts';
import { LoadedOptimizer } from './loaded-optimizer.ts';
import { readExported } from './read-exported.ts';
import { rebuildOptimizer } from './rebuild-optimizer.ts';

/**
 * What `loadOptimizer` takes: a registry name (`adam`, `adam{"lr":0.01}`, or `{name: 'adam', lr: 0.01}`), the name of one that ships
 * (`celo2-digits`), a run (`runs/a`, `runs/a@best`, `runs/a@500`), the path of an exported .onnx or of a checkpoint, or the bytes of one.
 */
export type OptimizerReference = string | Uint8Array | Readonly<{ name: string }>;

/**
 * Loads an optimizer. A registry name or the name of one that ships is taken as such; write `./adam` for a directory of that name.
 * Files are read in Node only; bytes anywhere.
 * @example const learned = await loadOptimizer('celo2-digits')
 * @throws CheckpointError for a file or run that is missing, damaged or foreign; RangeError for an unknown name (with what there is),
 * or a learned optimizer without a theta (with what ships); TypeError, RangeError or SyntaxError for options.
 */
export async function loadOptimizer(reference: OptimizerReference): Promise<LoadedOptimizer> {
  if (reference instanceof Uint8Array)
    return loadBytes(Uint8Array.from(reference), { file: '(bytes)', name: undefined });
  if (typeof reference !== 'string' && !isRecord(reference))
    throw new TypeError(
      `Cannot load an optimizer: expected a name, a path, the bytes of a file or {name, ...options} but got ${valueText(reference)}`,
    );
  const named = parseNamed(reference);
  const shipped = await shippedNames();
  if (named !== undefined && shipped.includes(named.name)) return loadShipped(named);
  if (named !== undefined && (isRegistered(named.name) || typeof reference !== 'string')) return create(named, shipped);
  return loadPath(typeof reference === 'string' ? reference : reference.name, shipped);
}

/** Names of the learned optimizers that ship; none outside Node, where the package's files can't be read. */
export async function shippedNames(): Promise<readonly string[]> {
  if (!hasFiles()) return [];
  const { listZoo } = await import('./files/zoo.ts');
  return (await listZoo()).map(({ name }) => name);
}

async function create(reference: Reference, shipped: readonly string[]): Promise<LoadedOptimizer> {
  const context = { shipped, ...(await shippedBase(reference, shipped)) };
  const optimizer = createOptimizer(reference.name, reference.options, context);
  return new LoadedOptimizer({ name: referenceText(reference), optimizer, theta: thetaIn(optimizer) });
}

/** Lets wrappers have a shipped optimizer as their base: its theta is read before the optimizer, which is made at once, asks for it. */
async function shippedBase(
  { options }: Reference,
  shipped: readonly string[],
): Promise<Pick<CreateContext, 'resolve'>> {
  const { base } = options;
  if (base === undefined) return {};
  const reference = parseReference(base);
  if (!shipped.includes(reference.name)) return shippedBase(reference, shipped);
  const { optimizer } = await loadShipped(reference);
  return { resolve: ({ name }) => (name === reference.name ? optimizer : undefined) };
}

async function loadShipped({ name, options }: Reference): Promise<LoadedOptimizer> {
  const { readZoo } = await import('./files/zoo.ts');
  const bytes = await readZoo(name);
  if (bytes === undefined) throw new RangeError(`Cannot load ${name}: it does not ship`);
  return loadCheckpoint(await decodeCheckpoint(bytes, { file: name }), { name, file: name, options });
}

async function loadPath(path: string, shipped: readonly string[]): Promise<LoadedOptimizer> {
  const unknown = (): never => {
    const names = OPTIMIZERS.filter(({ family }) => family !== 'learned').map(({ name }) => name);
    throw new RangeError(
      `Cannot load ${path}: expected a run directory, an exported .onnx, a checkpoint, a name of ${names.join(', ')}, ` +
        `or one that ships (${shipped.length === 0 ? 'none here' : shipped.join(', ')}), but there is no such file or name`,
    );
  };
  if (!hasFiles()) return unknown();
  const { fileKind } = await import('./files/run-directory.ts');
  const { readFileBytes, readRunCheckpoint } = await import('./files/read-checkpoint.ts');
  const kind = await fileKind(path);
  if (kind === 'file') return loadBytes(await readFileBytes(path), { file: path, name: path });
  const at = path.lastIndexOf('@');
  const isRun = kind === 'directory' || (at > 0 && (await fileKind(path.slice(0, at))) === 'directory');
  if (!isRun) return unknown();
  const { checkpoint } = await readRunCheckpoint(path);
  return loadCheckpoint(checkpoint, { name: path, file: path });
}

/** `name` is what the optimizer is called; by default what the file says. */
async function loadBytes(
  bytes: Uint8Array<ArrayBuffer>,
  { file, name }: { readonly file: string; readonly name: string | undefined },
): Promise<LoadedOptimizer> {
  // A safetensors header is a JSON object, eight bytes into the file; an ONNX model starts with its version's field.
  if (bytes[8] === 0x7b) {
    const checkpoint = await decodeCheckpoint(bytes, { file });
    return loadCheckpoint(checkpoint, { name: name ?? checkpoint.optimizer.name, file });
  }
  const { optimizer, theta, specs, provenance } = await readExported(bytes, { file });
  return loaded({
    name: name ?? optimizer.name,
    file,
    theta,
    specs,
    provenance,
    build: () => rebuildOptimizer(optimizer, theta),
  });
}

/** `options` are changes to the options that the checkpoint has, such as another learning rate. */
function loadCheckpoint(
  checkpoint: Checkpoint,
  { name, file, options = {} }: Partial<Reference> & { readonly name: string; readonly file: string },
): LoadedOptimizer {
  const theta = thetaOf(checkpoint);
  const identity = { name: checkpoint.optimizer.name, options: { ...checkpoint.optimizer.options, ...options } };
  return loaded({
    name,
    file,
    theta,
    provenance: provenanceOf(checkpoint),
    build: () => rebuildOptimizer(identity, theta),
  });
}

function loaded({
  name,
  file,
  theta,
  specs,
  provenance,
  build,
}: {
  readonly name: string;
  readonly file: string;
  readonly theta: Arrays;
  readonly specs?: ParamSpecs;
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly build: () => Optimizer;
}): LoadedOptimizer {
  try {
    return new LoadedOptimizer({
      name,
      optimizer: build(),
      theta,
      provenance,
      ...(specs === undefined ? {} : { specs }),
    });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(file, `Cannot load ${file}: ${problem}`, { cause: error });
  }
}

/** Where a checkpoint comes from, without what differs between equal runs. */
function provenanceOf({ kind, facts }: Checkpoint): Readonly<Record<string, unknown>> {
  const { provenance, config, step, data } = facts;
  if (isRecord(provenance)) return provenance;
  if (kind !== 'run' || !isRecord(config)) return {};
  const run = { recipe: config['name'], seed: config['seed'], step };
  return Array.isArray(data) ? { ...run, ...seenData(data.filter(isRecord)) } : run;
}

/** What meta-training saw: names of data sets, and what tells their content apart, whatever they are called. */
function seenData(data: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, unknown>> {
  const all = (key: string) =>
    [...new Set(data.flatMap((record) => (typeof record[key] === 'string' ? [record[key]] : [])))].toSorted();
  return { dataSets: all('dataSet'), dataFingerprints: all('fingerprint') };
}

/** Theta of an optimizer that was made with one inside; empty for others. */
function thetaIn({ values, valueRoles }: Optimizer): Arrays {
  return new Map([...values].filter(([name]) => valueRoles.get(name) === 'theta'));
}

function isRegistered(name: string): boolean {
  return OPTIMIZERS.some((entry) => entry.name === name);
}

/** A reference as a name with options; undefined for a text that has none, such as a path. */
function parseNamed(reference: string | Readonly<Record<string, unknown>>): Reference | undefined {
  if (typeof reference !== 'string' || /^[a-z0-9-]+\s*(\{|$)/.test(reference)) return parseReference(reference);
  return undefined;
}

function hasFiles(): boolean {
  return typeof process === 'object' && typeof process.versions === 'object' && process.versions.node !== undefined;
}
