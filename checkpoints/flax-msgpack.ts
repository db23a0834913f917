import { sizeOf, type HostArray } from '../jit/graph/graph.ts';
import { CheckpointError } from './checkpoint-error.ts';

/**
 * Theta as flax writes it (`flax.serialization.to_bytes`): a msgpack map of names to maps or arrays. An array is an extension of type 1
 * (or 3, a numpy scalar) that holds a msgpack list of shape, dtype and little-endian bytes. Only what such files need is read; nothing
 * in them is executed.
 *
 * **Source**: the msgpack specification; flax 0.12.8, serialization.py.
 * **Checked against**: bytes made with flax, and the theta files published with Celo.
 * **Differs**: arrays that flax cuts in chunks (above 1 GiB) are refused.
 */

/** How the leaves of a dtype are read, as float32. */
const DTYPES: Readonly<Record<string, { readonly bytes: number; read(view: DataView, offset: number): number }>> = {
  float32: { bytes: 4, read: (view, offset) => view.getFloat32(offset, true) },
  // The upper half of a float32.
  bfloat16: { bytes: 2, read: (view, offset) => floatOfBits(view.getUint16(offset, true) << 16) },
  float64: { bytes: 8, read: (view, offset) => view.getFloat64(offset, true) },
  int32: { bytes: 4, read: (view, offset) => view.getInt32(offset, true) },
};

/**
 * The leaves of a tree by their path, parts joined by ` | `, as float32.
 * @param options.file what the bytes are called in errors.
 * @throws CheckpointError for bytes that are no such tree: truncated, with something left over, or of another kind.
 */
export function decodeFlaxTree(bytes: Uint8Array, { file }: { readonly file: string }): Map<string, HostArray> {
  const reader = new Reader(bytes, file);
  const leaves = new Map<string, HostArray>();
  collect(reader.value(), { path: [], leaves, reader });
  reader.expectEnd();
  return leaves;
}

type Value = number | string | Uint8Array | readonly Value[] | ReadonlyMap<string, Value> | HostArray;

function collect(
  value: Value,
  {
    path,
    leaves,
    reader,
  }: { readonly path: readonly string[]; readonly leaves: Map<string, HostArray>; readonly reader: Reader },
): void {
  const name = path.join(' | ');
  if (value instanceof Map) {
    for (const [key, member] of value as ReadonlyMap<string, Value>)
      collect(member, { path: [...path, key], leaves, reader });
  } else if (typeof value === 'object' && 'dtype' in value && path.length > 0) leaves.set(name, value);
  else reader.refuse(`expected ${name === '' ? 'a map of arrays' : `${name} to be an array or a map`}`);
}

/** Walks through msgpack bytes. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  #offset = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  refuse(problem: string): never {
    throw new CheckpointError(
      this.#file,
      `Cannot read ${this.#file} as flax msgpack: ${problem} (at byte ${this.#offset})`,
    );
  }

  expectEnd(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) this.refuse(`expected the end but ${left} bytes are left over`);
  }

  value(): Value {
    const tag = this.#uint(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 0x0f);
    if (tag < 0xa0) return this.#list(tag & 0x0f);
    if (tag < 0xc0) return this.#text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (tag - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(1 << (tag - 0xc7)));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (tag - 0xcc));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (tag - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#uint(2 << (tag - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (tag - 0xde)));
      default:
        return this.refuse(`expected a map, a list, a text, bytes or an array but got the type 0x${tag.toString(16)}`);
    }
  }

  #take(length: number): Uint8Array {
    const left = this.#bytes.length - this.#offset;
    if (length > left)
      this.refuse(`expected ${length} bytes more but only ${left} are left: the file is cut off or damaged`);
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return taken;
  }

  /** A big-endian number of 1, 2 or 4 bytes. */
  #uint(length: number): number {
    const start = this.#offset;
    this.#take(length);
    if (length === 1) return this.#view.getUint8(start);
    return length === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return this.refuse('expected a text but its bytes are no UTF-8');
    }
  }

  #list(length: number): readonly Value[] {
    // Each item takes a byte at least: a length that can't be is refused before anything is allocated for it.
    if (length > this.#bytes.length - this.#offset) this.refuse(`expected ${length} items but the file ends before`);
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): ReadonlyMap<string, Value> {
    const map = new Map<string, Value>();
    for (let pair = 0; pair < length; pair++) {
      const key = this.value();
      if (typeof key !== 'string') return this.refuse('expected the keys of a map to be texts');
      if (map.has(key)) return this.refuse(`expected each key once but got ${key} twice`);
      if (key === '__msgpack_chunked_array__') return this.refuse('expected whole arrays but got one cut in chunks');
      map.set(key, this.value());
    }
    return map;
  }

  /** An array (type 1) or a numpy scalar (type 3). */
  #extension(length: number): HostArray {
    const type = this.#uint(1);
    const payload = this.#take(length);
    if (type !== 1 && type !== 3)
      this.refuse(`expected an array (extension type 1 or 3) but got extension type ${type}`);
    const inner = new Reader(payload, this.#file);
    const parts = inner.value();
    inner.expectEnd();
    if (!Array.isArray(parts) || parts.length !== 3) return this.refuse('expected an array’s shape, dtype and bytes');
    const [shape, dtype, data]: readonly unknown[] = parts;
    if (!isShape(shape)) return this.refuse('expected the shape of an array to be a list of whole numbers');
    const name = typeof dtype === 'string' ? dtype : 'none';
    const layout = Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;
    if (layout === undefined)
      return this.refuse(`expected one of the dtypes ${Object.keys(DTYPES).join(', ')} but got ${name}`);
    const count = sizeOf(shape);
    if (!(data instanceof Uint8Array) || data.length !== count * layout.bytes)
      return this.refuse(
        `expected ${count * layout.bytes} bytes for ${name}[${shape.join(',')}] but got ${data instanceof Uint8Array ? data.length : 'none'}`,
      );
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return {
      shape,
      dtype: 'float32',
      data: Float32Array.from({ length: count }, (_, index) => layout.read(view, index * layout.bytes)),
    };
  }
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 0);
}

function floatOfBits(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0] ?? Number.NaN;
}
