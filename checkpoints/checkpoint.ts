/**
 * A checkpoint: theta, or a whole run, in one file that says what it is. The layout is safetensors; its metadata holds
 *
 *     format      "lopt"
 *     version     "1"
 *     kind        "theta" | "run"
 *     optimizer   JSON {name, options}: the learned optimizer that theta belongs to
 *     sha256      of the whole file, these 64 digits taken as zeros
 *     facts       JSON: config, step, provenance and whatever else the writer wants kept; no times in what must be reproducible
 *
 * and its tensors are `theta/<leaf>` and, in a run, what the trainer keeps. The same content gives the same bytes.
 */
import { type HostArray } from '../jit/graph/graph.ts';
import { groupOf } from '../jit/trace/structure.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { fromJson, toJson } from './json-numbers.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

export const CHECKPOINT_KINDS = ['theta', 'run'] as const;
export type CheckpointKind = (typeof CHECKPOINT_KINDS)[number];

/** Name and options of an optimizer in the registry. */
export interface OptimizerIdentity {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Checkpoint {
  readonly kind: CheckpointKind;
  readonly optimizer: OptimizerIdentity;
  /** JSON, by name; numbers that aren't finite are kept. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** `theta/<leaf>` and, in a run, others. */
  readonly tensors: ReadonlyMap<string, HostArray>;
}

const FORMAT = 'lopt';
const VERSION = '1';
const NO_DIGEST = '0'.repeat(64);

/** Bytes of a checkpoint. @throws TypeError when a tensor's data doesn't fit its shape, or there is no theta. */
export async function encodeCheckpoint({
  kind,
  optimizer,
  facts,
  tensors,
}: Checkpoint): Promise<Uint8Array<ArrayBuffer>> {
  const metadata = new Map([
    ['format', FORMAT],
    ['version', VERSION],
    ['kind', kind],
    ['optimizer', toJson({ name: optimizer.name, options: optimizer.options })],
    ['sha256', NO_DIGEST],
    ['facts', toJson(facts)],
  ]);
  const bytes = encodeSafetensors({ tensors, metadata });
  bytes.set(new TextEncoder().encode(await sha256(bytes)), digestOffset(bytes, NO_DIGEST));
  return bytes;
}

/**
 * Reads a checkpoint; `file` names it in errors.
 * @throws CheckpointError when it is no checkpoint of ours, of a later version, damaged or cut off.
 */
export async function decodeCheckpoint(bytes: Uint8Array, { file }: { readonly file: string }): Promise<Checkpoint> {
  const { tensors, metadata } = decodeSafetensors(bytes, { file });
  const fail = (problem: string): never => {
    throw new CheckpointError(file, `Cannot read ${file} as a checkpoint: ${problem}`);
  };
  const text = (name: string): string => metadata.get(name) ?? fail(`its metadata lacks ${name}`);

  if (metadata.get('format') !== FORMAT)
    fail('it is a safetensors file, but not one that lopt wrote (its metadata lacks "format":"lopt")');
  if (text('version') !== VERSION)
    fail(`expected format version ${VERSION} but got ${text('version')}; a newer lopt may read it`);

  const digest = text('sha256');
  const offset = /^[0-9a-f]{64}$/.test(digest) ? digestOffset(bytes, digest) : -1;
  if (offset === -1) fail('its checksum is damaged');
  const blank = new Uint8Array(bytes);
  blank.fill(0x30, offset, offset + digest.length);
  if ((await sha256(blank)) !== digest) fail('it is damaged: its content does not match its checksum');

  const kind = CHECKPOINT_KINDS.find((candidate) => candidate === text('kind'));
  if (kind === undefined)
    return fail(`expected kind to be one of ${CHECKPOINT_KINDS.join(', ')} but got ${text('kind')}`);
  const optimizer = parseObject(text('optimizer'));
  const options = optimizer?.['options'];
  const facts = parseObject(text('facts'));
  if (typeof optimizer?.['name'] !== 'string' || !isObject(options))
    return fail('expected optimizer to be JSON with name and options');
  if (facts === undefined) return fail('expected facts to be a JSON object');
  return { kind, optimizer: { name: optimizer['name'], options }, facts, tensors };
}

/** Theta's leaves, by path, from a checkpoint of either kind. */
export function thetaOf({ tensors }: Checkpoint): ReadonlyMap<string, HostArray> {
  return groupOf(tensors, 'theta');
}

/** Tensors of a theta as checkpoints name them. */
export function thetaTensors(theta: ReadonlyMap<string, HostArray>): Map<string, HostArray> {
  return new Map([...theta].map(([path, leaf]) => [`theta/${path}`, leaf]));
}

/** SHA-256 as 64 hexadecimal digits. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Where the digest stands in the header, which comes before all data; -1 where it doesn't. */
function digestOffset(bytes: Uint8Array, digest: string): number {
  const marker = new TextEncoder().encode(`"sha256":"${digest}"`);
  const last = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)) - marker.length;
  for (let offset = 8; offset <= last; offset += 1)
    if (marker.every((byte, index) => bytes[offset + index] === byte)) return offset + '"sha256":"'.length;
  return -1;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = fromJson(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
