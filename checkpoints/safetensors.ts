/**
 * The safetensors layout: eight bytes that give the header's length, a JSON header that gives each tensor's dtype, shape and place,
 * then the tensors' bytes, little-endian, without gaps. Nothing in such a file is ever executed.
 *
 * **Source**: the safetensors format, https://github.com/huggingface/safetensors (README, "Format").
 * **Checked against**: files that its Python package writes, and its reading of ours.
 * **Differs**: tensors start at a multiple of 16 bytes, and those of 4-byte elements come before those of 1-byte elements, so that all
 * stay aligned; a reader need not know either. On reading, F16 and BF16 widen to float32 exactly, F64 is rounded to float32, I64
 * must fit int32.
 */
import { type DType, type HostArray, type TypedArray, allocate, sizeOf } from '../jit/graph/graph.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { type JsonObject, type JsonValue, isJsonObject, parseStrictJson } from './strict-json.ts';

/** Tensors by name, in order, and texts by name. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, HostArray>;
  readonly metadata: ReadonlyMap<string, string>;
}

const ALIGNMENT = 16;
const METADATA = '__metadata__';

const WRITTEN = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const satisfies Record<DType, string>;
const WIDTH = { float32: 4, int32: 4, bool: 1 } as const satisfies Record<DType, number>;

/**
 * Bytes of a safetensors file. The same tensors and metadata in the same order give the same bytes.
 * @throws TypeError when a tensor's data doesn't fit its shape and dtype.
 */
export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array<ArrayBuffer> {
  const places = new Map<string, number>();
  let dataBytes = 0;
  for (const width of [4, 1])
    for (const [name, { dtype, shape, data }] of tensors) {
      if (name === METADATA || data.length !== sizeOf(shape) || data.constructor !== allocate(dtype, 0).constructor)
        throw new TypeError(
          `Cannot write tensor ${name}: expected ${dtype} data of shape [${shape.join(',')}] but got a ${data.constructor.name} of length ${data.length}`,
        );
      if (WIDTH[dtype] !== width) continue;
      places.set(name, dataBytes);
      dataBytes += data.byteLength;
    }

  // Written entry by entry: an object would put names that look like integers first.
  const member = (name: string, value: unknown): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    const begin = places.get(name) ?? 0;
    return member(name, { dtype: WRITTEN[dtype], shape, data_offsets: [begin, begin + data.byteLength] });
  });
  const texts = [...metadata].map(([name, text]) => member(name, text));
  if (texts.length > 0) entries.unshift(`"${METADATA}":{${texts.join(',')}}`);
  const header = new TextEncoder().encode(`{${entries.join(',')}}`);

  const start = Math.ceil((8 + header.length) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(start + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(header, 8);
  bytes.fill(0x20, 8 + header.length, start);
  for (const [name, { data }] of tensors) bytes.set(bytesOf(data), start + (places.get(name) ?? 0));
  return bytes;
}

/**
 * Tensors and metadata of a safetensors file, copied into arrays of their own. Everything is checked before anything is allocated.
 * `file` names it in errors.
 * @throws CheckpointError naming the file, the tensor and what was expected.
 */
export function decodeSafetensors(bytes: Uint8Array, { file }: { readonly file: string }): TensorFile {
  const { header, start } = readHeader(bytes, file);
  const dataBytes = bytes.length - start;
  const metadata = readMetadata(header.get(METADATA), file);
  const entries = [...header]
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => readEntry(name, value, { file, dataBytes }));

  let end = 0;
  for (const { name, begin, end: next } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== end)
      fail(
        file,
        `tensor ${name}: expected its data to begin at byte ${end}, where the data before it ends, but got ${begin}`,
      );
    end = next;
  }
  if (end !== dataBytes)
    fail(file, `expected ${end} bytes of data after the header but got ${dataBytes}; the file is damaged or cut off`);

  const tensors = new Map<string, HostArray>();
  for (const { name, shape, begin, end, format } of entries)
    tensors.set(name, {
      shape,
      dtype: format.dtype,
      data: format.read(copyOf(bytes, start + begin, start + end), (expected, got) =>
        fail(file, `tensor ${name}: expected ${expected} but got ${got}`),
      ),
    });
  return { tensors, metadata };
}

interface Format {
  readonly width: number;
  readonly dtype: DType;
  /** Elements from their bytes, which are a copy. */
  read(bytes: Uint8Array<ArrayBuffer>, refuse: (expected: string, got: string) => never): TypedArray;
}

// Every platform that runs JavaScript today is little-endian, as the format is.
const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['F32', { width: 4, dtype: 'float32', read: ({ buffer }) => new Float32Array(buffer) }],
  ['I32', { width: 4, dtype: 'int32', read: ({ buffer }) => new Int32Array(buffer) }],
  ['BOOL', { width: 1, dtype: 'bool', read: readBooleans }],
  ['F16', { width: 2, dtype: 'float32', read: ({ buffer }) => Float32Array.from(new Uint16Array(buffer), fromHalf) }],
  ['BF16', { width: 2, dtype: 'float32', read: ({ buffer }) => fromBfloats(new Uint16Array(buffer)) }],
  ['F64', { width: 8, dtype: 'float32', read: ({ buffer }) => new Float32Array(new Float64Array(buffer)) }],
  ['I64', { width: 8, dtype: 'int32', read: readLongs }],
]);

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly format: Format;
}

function readHeader(bytes: Uint8Array, file: string): { readonly header: JsonObject; readonly start: number } {
  if (bytes.length < 8) fail(file, `expected at least 8 bytes but got ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8))
    fail(file, `expected a header of at most ${bytes.length - 8} bytes, which follow, but its length says ${length}`);
  const start = 8 + Number(length);
  let header: JsonValue;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(copyOf(bytes, 8, start));
    header = parseStrictJson(text);
  } catch (error) {
    return fail(file, `its header is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isJsonObject(header)) return fail(file, `expected its header to be a JSON object but got ${brief(header)}`);
  return { header, start };
}

function readMetadata(value: JsonValue | undefined, file: string): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isJsonObject(value)) return fail(file, `expected ${METADATA} to be an object of texts but got ${brief(value)}`);
  return new Map(
    [...value].map(([name, text]) => [
      name,
      typeof text === 'string' ? text : fail(file, `expected ${METADATA}.${name} to be a text but got ${brief(text)}`),
    ]),
  );
}

function readEntry(
  name: string,
  value: JsonValue,
  { file, dataBytes }: { readonly file: string; readonly dataBytes: number },
): Entry {
  const refuse = (expected: string, got: JsonValue | undefined): never =>
    fail(file, `tensor ${name}: expected ${expected} but got ${brief(got)}`);
  if (!isJsonObject(value)) return refuse('an object with dtype, shape and data_offsets', value);
  for (const key of value.keys())
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') refuse('only dtype, shape and data_offsets', key);

  const dtype = value.get('dtype');
  const format = typeof dtype === 'string' ? FORMATS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || format === undefined)
    return refuse(`dtype to be one of ${[...FORMATS.keys()].join(', ')}`, dtype);
  const shape = value.get('shape');
  if (!isNaturals(shape)) return refuse('shape to be a list of whole numbers', shape);
  const offsets = value.get('data_offsets');
  if (!isNaturals(offsets) || offsets.length !== 2)
    return refuse('data_offsets to be two whole numbers, begin and end', offsets);

  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > dataBytes)
    return refuse(`data_offsets [begin, end] with begin <= end <= ${dataBytes}, the bytes of data there are`, offsets);
  // A product beyond 2^53 is inexact and still far larger than any file: it never equals the bytes there are.
  if (sizeOf(shape) * format.width !== end - begin)
    return fail(
      file,
      `tensor ${name}: expected ${sizeOf(shape) * format.width} bytes of data for ${dtype} of shape [${shape.join(',')}] but its data_offsets give it ${end - begin}`,
    );
  return { name, shape, begin, end, format };
}

function isNaturals(value: JsonValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && Number(item) >= 0);
}

function readBooleans(
  bytes: Uint8Array<ArrayBuffer>,
  refuse: (expected: string, got: string) => never,
): Uint8Array<ArrayBuffer> {
  const other = bytes.find((byte) => byte > 1);
  return other === undefined ? bytes : refuse('each BOOL to be 0 or 1', `${other}`);
}

function readLongs({ buffer }: Uint8Array<ArrayBuffer>, refuse: (expected: string, got: string) => never): Int32Array {
  const longs = new BigInt64Array(buffer);
  const other = longs.find((long) => BigInt.asIntN(32, long) !== long);
  return other === undefined ? Int32Array.from(longs, Number) : refuse('each I64 to fit in 32 bits', `${other}`);
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function fromBfloats(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
}

/** A copy of bytes `begin` to `end`: aligned, unshared, and not the view that a Node Buffer's slice gives. */
function copyOf(bytes: Uint8Array, begin: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(begin, end));
}

function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function brief(value: JsonValue | undefined): string {
  if (value === undefined) return 'none';
  if (isJsonObject(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function fail(file: string, problem: string): never {
  throw new CheckpointError(file, `Cannot read ${file} as safetensors: ${problem}`);
}
