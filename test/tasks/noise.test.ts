import { describe, expect, it } from 'vitest';
import { rademacher, truncatedNormal } from '../../jit/random/draws.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import type { NoiseSpec, ParamSpec } from '../../lopt/optimizer.ts';
import { drawNoise, drawNoises } from '../../tasks/noise.ts';

const key = rootKey('noise');
const specs = new Map<string, ParamSpec>([
  ['a/w', { path: 'a/w', shape: [2, 3], dtype: 'float32' }],
  ['a/b', { path: 'a/b', shape: [3], dtype: 'float32' }],
]);

describe('drawNoise', () => {
  it('draws one array from the key', () => {
    expect(drawNoise({ kind: 'truncatedNormal', shape: [2, 2] }, key)).toEqual({
      shape: [2, 2],
      dtype: 'float32',
      data: truncatedNormal(key, 4),
    });
  });

  it('draws an array for each parameter from the key and its path', () => {
    const drawn = drawNoise({ kind: 'rademacher', shape: 'params' }, key, specs);
    expect([...drawn.keys()]).toEqual(['a/w', 'a/b']);
    expect(drawn.get('a/w')).toEqual({ shape: [2, 3], dtype: 'float32', data: rademacher(fold(key, 'a/w'), 6) });
  });

  it('refuses shapes of parameters that it is not told', () => {
    const spec: NoiseSpec = { kind: 'normal', shape: 'params' };
    expect(() => drawNoise(spec, key)).toThrow(
      new RangeError('Cannot draw noise: expected the specs of the parameters that it is shaped like but got none'),
    );
  });
});

describe('drawNoises', () => {
  it('draws each name apart, under flat names', () => {
    const noise = new Map<string, NoiseSpec>([
      ['like', { kind: 'normal', shape: 'params' }],
      ['one', { kind: 'uniform', shape: [4] }],
    ]);
    const drawn = drawNoises(noise, key, specs);
    expect([...drawn.keys()]).toEqual(['like/a/w', 'like/a/b', 'one']);
    expect(drawn.get('one')).toEqual(drawNoise({ kind: 'uniform', shape: [4] }, fold(key, 'one')));
    expect(drawNoises(undefined, key).size).toBe(0);
  });
});
