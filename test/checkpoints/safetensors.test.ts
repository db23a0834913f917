import { expect, test } from 'vitest';
import { CheckpointError } from '../../checkpoints/checkpoint-error.ts';
import { decodeSafetensors, encodeSafetensors } from '../../checkpoints/safetensors.ts';
import type { HostArray } from '../../jit/graph/graph.ts';

const f32 = (shape: readonly number[], ...values: number[]): HostArray => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from(values),
});

/** A file with this header text and data. */
function file(header: string, dataBytes: number | Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(header);
  const data = typeof dataBytes === 'number' ? new Uint8Array(dataBytes) : dataBytes;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const read = (bytes: Uint8Array) => decodeSafetensors(bytes, { file: 'a.safetensors' });

test('what is written is read back: order, shapes, dtypes, bits, metadata', () => {
  const tensors = new Map<string, HostArray>([
    ['theta/10', f32([2], -0, Number.NaN)],
    ['mask', { shape: [3], dtype: 'bool', data: Uint8Array.of(1, 0, 1) }],
    ['2', f32([], 1e-45)],
    ['__proto__', { shape: [1, 2], dtype: 'int32', data: Int32Array.of(-(2 ** 31), 7) }],
    ['empty', f32([0, 3])],
    ['häß "quoted"', f32([1], Number.POSITIVE_INFINITY)],
  ]);
  const metadata = new Map([
    ['b', 'tab\there'],
    ['1', ''],
  ]);
  const bytes = encodeSafetensors({ tensors, metadata });
  const back = read(bytes);
  expect([...back.tensors]).toEqual([...tensors]);
  expect(Object.is(back.tensors.get('theta/10')?.data[0], -0)).toBe(true);
  expect([...back.metadata]).toEqual([...metadata]);
  expect(encodeSafetensors(back)).toEqual(bytes);
});

test('the bytes of a small file', () => {
  const bytes = encodeSafetensors({ tensors: new Map([['w', f32([2], 1, -2)]]), metadata: new Map([['k', 'v']]) });
  const header = '{"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
  expect(new TextDecoder().decode(bytes.subarray(8, 8 + header.length))).toBe(header);
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(start % 16).toBe(0);
  expect(new TextDecoder().decode(bytes.subarray(8 + header.length, start)).trim()).toBe('');
  expect([...bytes.subarray(start)]).toEqual([0, 0, 128, 63, 0, 0, 0, 192]);
});

test('views, also into shared memory, are written; what is read shares nothing with the file', () => {
  const big = Float32Array.of(9, 9, 1, 2, 9);
  const shared = new Float32Array(new SharedArrayBuffer(8));
  shared.set([3, 4]);
  const bytes = encodeSafetensors({
    tensors: new Map<string, HostArray>([
      ['view', { shape: [2], dtype: 'float32', data: big.subarray(2, 4) }],
      ['shared', { shape: [2], dtype: 'float32', data: shared }],
    ]),
    metadata: new Map(),
  });
  // At an odd place in a larger buffer.
  const larger = new Uint8Array(bytes.length + 3);
  larger.set(bytes, 3);
  const { tensors } = read(larger.subarray(3));
  larger.fill(255);
  expect([...(tensors.get('view')?.data ?? [])]).toEqual([1, 2]);
  expect([...(tensors.get('shared')?.data ?? [])]).toEqual([3, 4]);
  expect(tensors.get('view')?.data.byteOffset).toBe(0);
  // A Buffer's slice is a view, unlike a Uint8Array's.
  const buffer = Buffer.from(bytes);
  const fromBuffer = read(buffer).tensors;
  buffer.fill(255);
  expect([...(fromBuffer.get('view')?.data ?? [])]).toEqual([1, 2]);
});

test('data that does not fit is not written', () => {
  const write = (array: HostArray) => () =>
    encodeSafetensors({ tensors: new Map([['w', array]]), metadata: new Map() });
  expect(write({ ...f32([3], 1, 2) })).toThrow(
    'Cannot write tensor w: expected float32 data of shape [3] but got a Float32Array of length 2',
  );
  expect(write({ shape: [1], dtype: 'float32', data: Int32Array.of(1) })).toThrow(
    'Cannot write tensor w: expected float32 data of shape [1] but got a Int32Array of length 1',
  );
});

const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const F32 = '"F32"';

// Pitfall R20: a good file changed in one place.
test.each<[what: string, bytes: Uint8Array, problem: string]>([
  [
    'a shape larger than the data',
    file(`{"w":${entry(F32, '[1000,1000]', '[0,4]')}}`, 4),
    'tensor w: expected 4000000 bytes of data for F32 of shape [1000,1000] but its data_offsets give it 4',
  ],
  [
    'a shape beyond all memory',
    file(`{"w":${entry(F32, '[9007199254740991,9007199254740991]', '[0,4]')}}`, 4),
    'tensor w: expected 3.2451855365842665e+32 bytes of data for F32 of shape [9007199254740991,9007199254740991] but its data_offsets give it 4',
  ],
  [
    'offsets that run backwards',
    file(`{"w":${entry(F32, '[1]', '[8,4]')}}`, 8),
    'tensor w: expected data_offsets [begin, end] with begin <= end <= 8, the bytes of data there are but got [8,4]',
  ],
  [
    'tensors that overlap',
    file(`{"v":${entry(F32, '[2]', '[0,8]')},"w":${entry(F32, '[2]', '[4,12]')}}`, 12),
    'tensor w: expected its data to begin at byte 8, where the data before it ends, but got 4',
  ],
  [
    'a gap',
    file(`{"v":${entry(F32, '[1]', '[0,4]')},"w":${entry(F32, '[1]', '[8,12]')}}`, 12),
    'tensor w: expected its data to begin at byte 4, where the data before it ends, but got 8',
  ],
  [
    'the last byte missing',
    file(`{"w":${entry(F32, '[2]', '[0,8]')}}`, 7),
    'tensor w: expected data_offsets [begin, end] with begin <= end <= 7, the bytes of data there are but got [0,8]',
  ],
  [
    'one byte more',
    file(`{"w":${entry(F32, '[2]', '[0,8]')}}`, 9),
    'expected 8 bytes of data after the header but got 9; the file is damaged or cut off',
  ],
  [
    'a header of 2^63 bytes',
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125),
    'expected a header of at most 2 bytes, which follow, but its length says 9223372036854775808',
  ],
  ['a header that is a list', file('[1,2]', 0), 'expected its header to be a JSON object but got [1,2]'],
  [
    'a header that is no JSON',
    file('{"w"', 0),
    'its header is no JSON: expected a colon at character 4 but got the end',
  ],
  [
    'a key twice',
    file(`{"w":${entry(F32, '[1]', '[0,4]')},"w":${entry(F32, '[1]', '[0,4]')}}`, 4),
    'its header is no JSON: expected each key once but got "w" twice',
  ],
  [
    'a key twice, written in two ways',
    file(`{"w":${entry(F32, '[1]', '[0,4]')},"\\u0077":${entry(F32, '[1]', '[0,4]')}}`, 4),
    'its header is no JSON: expected each key once but got "w" twice',
  ],
  [
    'an unknown dtype',
    file(`{"w":${entry('"F31"', '[1]', '[0,4]')}}`, 4),
    'tensor w: expected dtype to be one of F32, I32, BOOL, F16, BF16, F64, I64 but got "F31"',
  ],
  [
    'offsets that are not whole',
    file(`{"w":${entry(F32, '[1]', '[0,1.5]')}}`, 4),
    'tensor w: expected data_offsets to be two whole numbers, begin and end but got [0,1.5]',
  ],
  [
    'offsets below zero',
    file(`{"w":${entry(F32, '[1]', '[-4,0]')}}`, 4),
    'tensor w: expected data_offsets to be two whole numbers, begin and end but got [-4,0]',
  ],
  [
    'a negative extent',
    file(`{"w":${entry(F32, '[-1,-1]', '[0,4]')}}`, 4),
    'tensor w: expected shape to be a list of whole numbers but got [-1,-1]',
  ],
  ['no shape', file('{"w":{"dtype":"F32"}}', 0), 'tensor w: expected shape to be a list of whole numbers but got none'],
  [
    'a tensor that is no object',
    file('{"w":7}', 0),
    'tensor w: expected an object with dtype, shape and data_offsets but got 7',
  ],
  ['metadata that is no text', file('{"__metadata__":{"a":1}}', 0), 'expected __metadata__.a to be a text but got 1'],
  [
    'a boolean of 2',
    file(`{"m":${entry('"BOOL"', '[2]', '[0,2]')}}`, Uint8Array.of(1, 2)),
    'tensor m: expected each BOOL to be 0 or 1 but got 2',
  ],
  [
    'a long that does not fit',
    file(`{"m":${entry('"I64"', '[1]', '[0,8]')}}`, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)),
    'tensor m: expected each I64 to fit in 32 bits but got 4294967296',
  ],
  ['an empty file', new Uint8Array(0), 'expected at least 8 bytes but got 0'],
  [
    'brackets without end',
    file('['.repeat(10_000), 0),
    'its header is no JSON: expected at most 64 levels at character 65 but got "["',
  ],
])('refuses %s', (_, bytes, problem) => {
  expect(() => read(bytes)).toThrow(
    new CheckpointError('a.safetensors', `Cannot read a.safetensors as safetensors: ${problem}`),
  );
});

test('every cut of a good file is refused', () => {
  const bytes = encodeSafetensors({ tensors: new Map([['w', f32([2], 1, 2)]]), metadata: new Map([['k', 'v']]) });
  for (let length = 0; length < bytes.length; length += 1)
    expect(() => read(bytes.subarray(0, length))).toThrow(CheckpointError);
});

test('reads other key orders, padding, and the dtypes that others write', () => {
  const data = new Uint8Array(2 + 4 + 16 + 8);
  const view = new DataView(data.buffer);
  // bfloat16 1.5, then half 1.5 and its smallest subnormal, then doubles 0.1 and -1e300, then long -5.
  view.setUint16(0, 0x3fc0, true);
  view.setUint16(2, 0x3e00, true);
  view.setUint16(4, 0x0001, true);
  view.setFloat64(6, 0.1, true);
  view.setFloat64(14, -1e300, true);
  view.setBigInt64(22, -5n, true);
  const { tensors } = read(
    file(
      '{"l":{"data_offsets":[22,30],"shape":[],"dtype":"I64"},"d":{"shape":[2],"dtype":"F64","data_offsets":[6,22]},' +
        '"h" : {"dtype":"F16","shape":[2],"data_offsets":[2,6]},\n"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}   ',
      data,
    ),
  );
  expect([...tensors]).toEqual([
    ['l', { shape: [], dtype: 'int32', data: Int32Array.of(-5) }],
    ['d', f32([2], Math.fround(0.1), Number.NEGATIVE_INFINITY)],
    ['h', f32([2], 1.5, 2 ** -24)],
    ['b', f32([1], 1.5)],
  ]);
});

test('halves widen exactly', () => {
  const halves: [number, number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
    [0x3555, 0.333251953125],
  ];
  const data = new Uint8Array(Uint16Array.from(halves, ([bits]) => bits).buffer);
  const { tensors } = read(file(`{"h":${entry('"F16"', `[${halves.length}]`, `[0,${data.length}]`)}}`, data));
  expect([...(tensors.get('h')?.data ?? [])]).toEqual(halves.map(([, value]) => value));
});
