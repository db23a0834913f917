/** What an exported optimizer says of itself, as the metadata of its ONNX model. docs/export.md is the contract in words. */
import type { HostArray, TypedArray, ValueType } from '../jit/graph/graph.ts';
import type { ParamSpec } from '../lopt/optimizer.ts';
import { type OptimizerIdentity, sha256 } from './checkpoint.ts';
import { toJson } from './json-numbers.ts';
import type { StateStart } from './state-starts.ts';

export const EXPORT_FORMAT = 'lopt';
export const EXPORT_VERSION = '1';

/** One state of the exported optimizer: the input `state/<name>` and the output `next/state/<name>`. */
export interface ExportedState extends ValueType {
  readonly name: string;
  readonly start: StateStart;
}

export interface ExportedFacts {
  readonly optimizer: OptimizerIdentity;
  readonly params: readonly ParamSpec[];
  readonly states: readonly ExportedState[];
  /** Options by value name: those that the caller may give anew, and those that are fixed in the file. */
  readonly values: { readonly free: ReadonlyMap<string, HostArray>; readonly fixed: ReadonlyMap<string, HostArray> };
  readonly theta: ReadonlyMap<string, HostArray>;
  /** Leaves of theta that the model doesn't use: they are kept here. */
  readonly unusedTheta: ReadonlyMap<string, HostArray>;
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** The metadata, in the order in which it is written. */
export async function exportedMetadata(facts: ExportedFacts): Promise<ReadonlyMap<string, string>> {
  const { optimizer, params, states, values, theta, unusedTheta, provenance } = facts;
  const numbers = (arrays: ReadonlyMap<string, HostArray>) =>
    Object.fromEntries([...arrays].map(([name, { shape, data }]) => [name, shape.length === 0 ? data[0] : [...data]]));
  return new Map([
    ['format', EXPORT_FORMAT],
    ['version', EXPORT_VERSION],
    ['optimizer', toJson({ name: optimizer.name, options: optimizer.options })],
    ['params', toJson(params)],
    ['state', toJson(states.map(({ name, shape, dtype, start }) => ({ name, shape, dtype, start })))],
    ['values', toJson({ free: numbers(values.free), fixed: numbers(values.fixed) })],
    ['theta', toJson([...theta].map(([path, { shape }]) => ({ path, shape })))],
    [
      'unusedTheta',
      toJson(Object.fromEntries([...unusedTheta].map(([path, { data }]) => [path, toBase64(bytesOf(data))]))),
    ],
    ['sha256', await thetaDigest(optimizer, theta)],
    ['provenance', toJson(provenance)],
  ]);
}

/** SHA-256 of what makes the optimizer: name, options, and theta's paths, shapes and elements. */
export async function thetaDigest(
  optimizer: OptimizerIdentity,
  theta: ReadonlyMap<string, HostArray>,
): Promise<string> {
  const head = toJson({
    name: optimizer.name,
    options: optimizer.options,
    theta: [...theta].map(([path, { shape }]) => ({ path, shape })),
  });
  const parts = [new TextEncoder().encode(head), ...[...theta.values()].map(({ data }) => bytesOf(data))];
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return sha256(all);
}

/** Base 64 of bytes, for binary data inside text. */
function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
