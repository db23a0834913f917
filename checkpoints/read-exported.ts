import type { onnx } from 'onnx-proto';
import { type HostArray, sizeOf } from '../jit/graph/graph.ts';
import { readParamSpecs } from '../lopt/adapters/param-specs.ts';
import type { Arrays, ParamSpecs } from '../lopt/optimizer.ts';
import { CheckpointError } from './checkpoint-error.ts';
import type { OptimizerIdentity } from './checkpoint.ts';
import { EXPORT_FORMAT, EXPORT_VERSION, thetaDigest } from './exported-metadata.ts';
import { fromJson } from './json-numbers.ts';

/** What an exported file gives back. */
export interface ExportedOptimizer {
  readonly optimizer: OptimizerIdentity;
  readonly theta: Arrays;
  readonly specs: ParamSpecs;
  readonly provenance: Readonly<Record<string, unknown>>;
}

/**
 * Reads an exported optimizer: its metadata and theta, not its graph; nothing in it is run. `file` names it in errors.
 * @throws CheckpointError when it is no such file, of a later version, or damaged.
 */
export async function readExported(bytes: Uint8Array, { file }: { readonly file: string }): Promise<ExportedOptimizer> {
  const fail = (problem: string): never => {
    throw new CheckpointError(file, `Cannot read ${file} as an exported optimizer: ${problem}`);
  };
  if (bytes.length === 0) return fail('it is empty');
  const model = await decodeModel(bytes);
  if (model === undefined) return fail('it is no ONNX model, or is damaged or cut off');
  const metadata = new Map(model.metadataProps?.map(({ key, value }) => [key ?? '', value ?? '']));
  if (metadata.get('format') !== EXPORT_FORMAT)
    fail('it is an ONNX model, but not one that lopt exported (its metadata lacks format lopt)');
  if (metadata.has('initOf')) fail('it computes the starting state alone; give the file of the update');
  const version = metadata.get('version');
  if (version !== EXPORT_VERSION)
    fail(`expected format version ${EXPORT_VERSION} but got ${version ?? 'none'}; a newer lopt may read it`);

  const json = (key: string): unknown => {
    try {
      return fromJson(metadata.get(key) ?? '');
    } catch {
      return fail(`its metadata ${key} is missing or damaged`);
    }
  };
  const optimizer = json('optimizer');
  const leaves = json('theta');
  const unused = json('unusedTheta');
  const params = json('params');
  const provenance = json('provenance');
  if (!isObject(optimizer) || typeof optimizer['name'] !== 'string' || !isObject(optimizer['options']))
    return fail('its metadata optimizer is missing or damaged');
  if (!Array.isArray(leaves) || !isObject(unused)) return fail('its metadata theta is missing or damaged');
  if (!Array.isArray(params)) return fail('its metadata params is missing or damaged');

  const initializers = new Map(model.graph?.initializer?.map((tensor) => [tensor.name ?? '', tensor]));
  const theta = new Map<string, HostArray>();
  for (const leaf of leaves as unknown[]) {
    if (!isObject(leaf) || typeof leaf['path'] !== 'string' || !isShape(leaf['shape']))
      return fail('its metadata theta is missing or damaged');
    const { path, shape } = { path: leaf['path'], shape: leaf['shape'] };
    const text = unused[path];
    const raw = typeof text === 'string' ? fromBase64(text) : initializers.get(`theta/${path}`)?.rawData;
    if (raw === undefined || raw === null || raw.length !== 4 * sizeOf(shape))
      return fail(`expected ${4 * sizeOf(shape)} bytes of theta ${path} but got ${raw?.length ?? 'none'}`);
    theta.set(path, { shape, dtype: 'float32', data: new Float32Array(Uint8Array.from(raw).buffer) });
  }
  const identity = { name: optimizer['name'], options: optimizer['options'] };
  if ((await thetaDigest(identity, theta)) !== metadata.get('sha256'))
    fail('it is damaged: its optimizer does not match its checksum');

  const byPath = new Map(params.map((spec: unknown) => [isObject(spec) ? String(spec['path']) : '', spec]));
  const specs = readParamSpecs(byPath, { doing: `read ${file}` });
  return { optimizer: identity, theta, specs, provenance: isObject(provenance) ? provenance : {} };
}

async function decodeModel(bytes: Uint8Array): Promise<onnx.IModelProto | undefined> {
  // The package is CommonJS: its named export type-checks and is missing at run time.
  const { default: proto } = await import('onnx-proto');
  try {
    return proto.onnx.ModelProto.decode(bytes);
  } catch {
    return undefined;
  }
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 0);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
