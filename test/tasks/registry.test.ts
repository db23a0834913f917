import { describe, expect, it } from 'vitest';
import { optionRows } from '../../lopt/options.ts';
import { TASK_FAMILIES, createTask } from '../../tasks/registry.ts';
import { countingDataSet } from './eager.ts';

const dataSets = new Map([['counting', countingDataSet()]]);

describe('TASK_FAMILIES', () => {
  it('has the families of dense networks', () => {
    expect([...TASK_FAMILIES.keys()]).toEqual(['quadratic', 'softmax-regression', 'image-mlp', 'image-autoencoder']);
  });

  it('says what each option means', () => {
    for (const family of TASK_FAMILIES.values()) {
      expect(family.summary).not.toBe('');
      expect(family.source).not.toBe('');
      for (const { meaning, expected } of optionRows(family.options)) {
        expect(meaning).not.toBe('');
        expect(expected).not.toBe('');
      }
    }
  });
});

describe('createTask', () => {
  it.each<[string, string, unknown, Error]>([
    [
      'an unknown family',
      'image-conv',
      {},
      new RangeError(
        'Cannot create task image-conv: expected one of quadratic, softmax-regression, image-mlp, image-autoencoder',
      ),
    ],
    [
      'an unknown option',
      'image-mlp',
      { widths: [3] },
      new RangeError(
        'Cannot create task image-mlp: expected the options data, image, batchSize, hidden, activation, norm but got widths',
      ),
    ],
    [
      'an option of the wrong kind',
      'image-mlp',
      { hidden: 32 },
      new TypeError(
        'Cannot create task image-mlp: expected option hidden to be a list of: a whole number >= 1 but got 32',
      ),
    ],
    [
      'an option out of range',
      'quadratic',
      { condition: 0.5 },
      new RangeError(
        'Cannot create task quadratic: expected option condition to be a number in [1, 1000000] but got 0.5',
      ),
    ],
    [
      'an image without channels',
      'softmax-regression',
      { image: [8, 8] },
      new RangeError(
        'Cannot create task softmax-regression: expected option image to be a list (3) of: a whole number in [1, 1024] but got [8,8]',
      ),
    ],
    [
      'a data set that is not there',
      'image-mlp',
      { data: 'mnist' },
      new RangeError(
        'Cannot create task image-mlp: expected data set mnist to be given or to be one of counting, glyphs-plain, glyphs-bold, glyphs-sketch, glyphs-noisy, glyphs-shaded, glyphs-outline, glyphs-dotted; give it as --data mnist=DIR, or in code among dataSets (loadDataSets reads directories, and the shipped digits)',
      ),
    ],
    [
      'options that are no object',
      'image-mlp',
      [],
      new TypeError('Cannot create task image-mlp: expected options as an object but got []'),
    ],
  ])('refuses %s', (_, name, options, error) => {
    expect(() => createTask(name, options as Readonly<Record<string, unknown>>, { dataSets })).toThrow(error);
  });
});
