import { describe, expect, it } from 'vitest';
import { philox } from '../../../jit/random/philox.ts';

const MAX = 0xffffffff;

/** Blocks from a counter on, as words in hexadecimal. */
function blocks(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  wordCount = 4,
): string {
  const out = new Uint32Array(wordCount);
  const [c0, c1, c2, c3] = counter;
  philox({ low: key[0], high: key[1] }, { c0, c1, c2, c3 }, out);
  return [...out].map((word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('philox', () => {
  it.each([
    ['zeros', [0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ones', [MAX, MAX, MAX, MAX], [MAX, MAX], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [
      'digits of pi',
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ] as const)('gives the published block of %s', (_, counter, key, expected) => {
    expect(blocks(counter, key)).toBe(expected);
  });

  it('carries from one counter word into the next', () => {
    expect(blocks([MAX, 0, 0, 0], [0, 0], 8)).toBe(
      'c5b20a9d 4434ec4e 11bbe4fb 2a1ef7a5 6ad0c5ec ea236249 73a459f5 074944b3',
    );
    const [, , , , ...after] = blocks([MAX, MAX, MAX, 7], [1, 2], 8).split(' ');
    expect(after.join(' ')).toBe(blocks([0, 0, 0, 8], [1, 2]));
  });

  it('cuts the last block where the output ends', () => {
    const whole = blocks([5, 6, 7, 8], [9, 10], 8).split(' ');
    for (const count of [1, 2, 3, 5, 6, 7])
      expect(blocks([5, 6, 7, 8], [9, 10], count).split(' ')).toEqual(whole.slice(0, count));
  });
});
