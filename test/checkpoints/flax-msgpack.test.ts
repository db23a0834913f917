import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CheckpointError } from '../../checkpoints/checkpoint-error.ts';
import { decodeFlaxTree } from '../../checkpoints/flax-msgpack.ts';

const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const read = (hex: string) => decodeFlaxTree(fromHex(hex), { file: 'theta.state' });

// Made with flax 0.12.8: theta.w bfloat16 [1.5, -2.25, 3.140625]; theta.s a numpy scalar .5 beside theta.z of shape [0, 3].
const BFLOAT16 = '81a5746865746181a177c71401939103a862666c6f61743136c406c03f10c04940';
const SCALAR = '81a5746865746182a173d8039390a7666c6f61743332c4040000003fa17ac70e0193920003a7666c6f61743332c400';

describe('decodeFlaxTree', () => {
  test('reads bfloat16 exactly', () => {
    expect(read(BFLOAT16)).toEqual(
      new Map([['theta | w', { shape: [3], dtype: 'float32', data: Float32Array.of(1.5, -2.25, 3.140625) }]]),
    );
  });

  test('reads numpy scalars and empty arrays', () => {
    expect(read(SCALAR)).toEqual(
      new Map([
        ['theta | s', { shape: [], dtype: 'float32', data: Float32Array.of(0.5) }],
        ['theta | z', { shape: [0, 3], dtype: 'float32', data: new Float32Array() }],
      ]),
    );
  });

  test('refuses a pair that is left over', () => {
    expect(() => read(SCALAR.replace('746865746182', '746865746181'))).toThrow(
      new CheckpointError(
        'theta.state',
        'Cannot read theta.state as flax msgpack: expected the end but 19 bytes are left over (at byte 28)',
      ),
    );
  });

  test.each([
    [
      'a cut file',
      BFLOAT16.slice(0, -2),
      'expected 20 bytes more but only 19 are left: the file is cut off or damaged (at byte 13)',
    ],
    ['no bytes', '', 'expected 1 bytes more but only 0 are left: the file is cut off or damaged (at byte 0)'],
    ['nil', 'c0', 'expected a map, a list, a text, bytes or an array but got the type 0xc0 (at byte 1)'],
    ['a number', '05', 'expected a map of arrays (at byte 1)'],
    ['a number among arrays', '81a17705', 'expected w to be an array or a map (at byte 4)'],
    ['a huge list', 'ddffffffff', 'expected 4294967295 items but the file ends before (at byte 5)'],
    ['a key that is no text', '810505', 'expected the keys of a map to be texts (at byte 2)'],
    ['a key twice', '82a17780a17780', 'expected each key once but got w twice (at byte 6)'],
    [
      'another extension',
      '81a177d40205',
      'expected an array (extension type 1 or 3) but got extension type 2 (at byte 6)',
    ],
    [
      'a foreign dtype',
      BFLOAT16.replace('62666c6f61743136', '62666c6f61743137'),
      'expected one of the dtypes float32, bfloat16, float64, int32 but got bfloat17 (at byte 33)',
    ],
    [
      'too few bytes for the shape',
      BFLOAT16.replace('9103', '9104'),
      'expected 8 bytes for bfloat16[4] but got 6 (at byte 33)',
    ],
  ])('refuses %s', (_, hex, problem) => {
    expect(() => read(hex)).toThrow(
      new CheckpointError('theta.state', `Cannot read theta.state as flax msgpack: ${problem}`),
    );
  });

  const published = fileURLToPath(new URL('../../../shared/pretrained/celo/theta.state', import.meta.url));
  const required = process.env['LOPT_REQUIRE_FIXTURES'] === '1';
  if (!existsSync(published)) console.log('skipped: the published theta is not at ../shared/pretrained');
  test.skipIf(!required && !existsSync(published))('reads a published theta (../shared/pretrained)', () => {
    const leaves = decodeFlaxTree(readFileSync(published), { file: published });
    expect(leaves.size).toBe(33);
    expect([...leaves.values()].reduce((sum, { data }) => sum + data.length, 0)).toBe(37_089);
    expect([...leaves.keys()][0]).toBe('ff_mod_stack | ~ | b0');
    expect(leaves.get('ff_mod_stack | ~ | b0')?.data[0]).toBe(Math.fround(0.029960323125123978));
  });
});
