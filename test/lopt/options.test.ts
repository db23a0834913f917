import { describe, expect, test } from 'vitest';
import { numeric, numericList, numericTerm, numericValues } from '../../lopt/numeric.ts';
import {
  booleanOption,
  choiceOption,
  integerOption,
  listOption,
  numberOption,
  optional,
  optionRows,
  readOptions,
  regularExpression,
  textOption,
} from '../../lopt/options.ts';

const SCHEMA = {
  lr: numeric({ default: 0.1, min: 0, meaning: 'learning rate', source: 'us' }),
  beta: numeric({ default: 0.9, min: 0, below: 1, meaning: 'decay', folds: ['complement', 'log'] }),
  extra: numericTerm({ default: 0, meaning: 'a term' }),
  decays: numericList({ default: [0.5, 0.25], min: 0, below: 1, meaning: 'decays' }),
  width: integerOption({ default: 4, min: 1, max: 64, meaning: 'width' }),
  ratio: numberOption({ default: 1, above: 0, meaning: 'ratio' }),
  flag: booleanOption({ default: true, meaning: 'flag' }),
  kind: choiceOption({ choices: ['a', 'b'], default: 'a', meaning: 'kind' }),
  name: textOption({ default: 'x', meaning: 'name' }),
  paths: optional(listOption({ default: [], element: textOption({ default: '', meaning: '' }), meaning: 'paths' })),
};

const read = (given: unknown): unknown => readOptions(SCHEMA, given, { doing: 'create thing' });

describe('readOptions', () => {
  test('fills in defaults', () => {
    expect(read({})).toEqual({
      lr: 0.1,
      beta: 0.9,
      extra: 0,
      decays: [0.5, 0.25],
      width: 4,
      ratio: 1,
      flag: true,
      kind: 'a',
      name: 'x',
      paths: null,
    });
  });

  test('takes zero, false, the empty text and the empty list as they are (R45); undefined is unset', () => {
    const given = { lr: 0, beta: 0, flag: false, name: '', paths: [], width: undefined };
    expect(read(given)).toMatchObject({ lr: 0, beta: 0, flag: false, name: '', paths: [], width: 4 });
  });

  test('fills in the numbers of a schedule', () => {
    expect(read({ lr: { schedule: 'linear', initial: 0.3 } })).toMatchObject({
      lr: { schedule: 'linear', initial: 0.3, end: 0, total: null },
    });
  });

  const names = 'lr, beta, extra, decays, width, ratio, flag, kind, name, paths';
  test.each([
    [{ learningRate: 1 }, RangeError, `Cannot create thing: expected the options ${names} but got learningRate`],
    [{ constructor: 1 }, RangeError, `Cannot create thing: expected the options ${names} but got constructor`],
    [[1], TypeError, 'Cannot create thing: expected options to be an object of options by name but got [1]'],
    [null, TypeError, 'Cannot create thing: expected options to be an object of options by name but got null'],
    [
      { lr: '1e-3' },
      TypeError,
      'Cannot create thing: expected option lr to be a number >= 0, or a schedule but got "1e-3"',
    ],
    [{ lr: -1 }, RangeError, 'Cannot create thing: expected option lr to be a number >= 0, or a schedule but got -1'],
    [{ lr: NaN }, RangeError, 'Cannot create thing: expected option lr to be a number >= 0, or a schedule but got NaN'],
    [
      { beta: 1 },
      RangeError,
      'Cannot create thing: expected option beta to be a number in [0, 1), or a schedule but got 1',
    ],
    [
      { lr: { schedule: 'cosine' } },
      RangeError,
      'Cannot create thing: expected option lr.schedule to be one of constant, linear, warmup-cosine but got "cosine"',
    ],
    [
      { lr: { schedule: 'linear', start: 1 } },
      RangeError,
      'Cannot create thing: expected the options initial, end, total but got lr.start',
    ],
    [
      { lr: { schedule: 'linear', initial: -1 } },
      RangeError,
      'Cannot create thing: expected option lr.initial to be a number >= 0 but got -1',
    ],
    [
      { lr: { initial: 1 } },
      TypeError,
      'Cannot create thing: expected option lr to be a number or a schedule such as {"schedule":"linear","initial":1,"end":0} but got {"initial":1}',
    ],
    [
      { decays: [0.5, 1] },
      RangeError,
      'Cannot create thing: expected option decays[1] to be a number in [0, 1) but got 1',
    ],
    [
      { decays: [] },
      RangeError,
      'Cannot create thing: expected option decays to be a list (at least 1) of: a number in [0, 1) but got []',
    ],
    [
      { width: 2.5 },
      RangeError,
      'Cannot create thing: expected option width to be a whole number in [1, 64] but got 2.5',
    ],
    [
      { width: '4' },
      TypeError,
      'Cannot create thing: expected option width to be a whole number in [1, 64] but got "4"',
    ],
    [{ ratio: 0 }, RangeError, 'Cannot create thing: expected option ratio to be a number > 0 but got 0'],
    [{ flag: 0 }, TypeError, 'Cannot create thing: expected option flag to be true or false but got 0'],
    [{ kind: 'c' }, RangeError, 'Cannot create thing: expected option kind to be one of a, b but got "c"'],
    [{ name: null }, TypeError, 'Cannot create thing: expected option name to be a text but got null'],
    [{ paths: 'a' }, TypeError, 'Cannot create thing: expected option paths to be a list of: a text but got "a"'],
  ])('refuses %j', (given, kind, message) => {
    expect(() => read(given)).toThrow(new kind(message));
    expect(() => read(given)).toThrow(kind);
  });
});

test('a regular expression that can’t be read is a SyntaxError', () => {
  const place = { doing: 'create thing', path: 'pattern' };
  expect(regularExpression('^a', place).test('ab')).toBe(true);
  expect(() => regularExpression('(', place)).toThrow(
    new SyntaxError('Cannot create thing: expected option pattern to be a regular expression but got "("'),
  );
});

test('a schema as rows', () => {
  expect(optionRows(SCHEMA).slice(0, 2)).toEqual([
    {
      name: 'lr',
      role: 'numeric',
      default: 0.1,
      expected: 'a number >= 0, or a schedule',
      meaning: 'learning rate',
      source: 'us',
    },
    { name: 'beta', role: 'numeric', default: 0.9, expected: 'a number in [0, 1), or a schedule', meaning: 'decay' },
  ]);
});

describe('numericValues', () => {
  const values = (given: unknown): Record<string, [string | undefined, number[]]> => {
    const { arrays, roles } = numericValues(SCHEMA, readOptions(SCHEMA, given, { doing: 'create thing' }));
    return Object.fromEntries([...arrays].map(([name, { data }]) => [name, [roles.get(name), [...data]]]));
  };

  test('folds in double precision', () => {
    const f = Math.fround;
    expect(values({ beta: 0.999 })).toEqual({
      lr: ['free', [f(0.1)]],
      beta: ['fixed', [f(0.999)]],
      // 1 - 0.999 in float32 would be 0.00099998712...
      'beta/complement': ['fixed', [f(0.001)]],
      'beta/log': ['fixed', [f(Math.log(0.999))]],
      decays: ['free', [0.5, 0.25]],
    });
  });

  test('a schedule’s numbers are values; a term that is on is one', () => {
    expect(values({ lr: { schedule: 'warmup-cosine', peak: 2, warmup: 8 }, extra: 1 })).toMatchObject({
      'lr/peak': ['free', [2]],
      'lr/initial': ['free', [0]],
      'lr/warmup': ['free', [8]],
      'lr/end': ['free', [0]],
      extra: ['free', [1]],
    });
  });

  test('ln 0 is finite, so that 0^k is 0 and its program has no infinity', () => {
    const log = values({ beta: 0 })['beta/log']?.[1][0] ?? NaN;
    expect(Number.isFinite(log)).toBe(true);
    expect(Math.fround(Math.exp(log))).toBe(0);
  });
});
