import { expect, test } from 'vitest';
import { optionRows } from '../../lopt/options.ts';
import { createOptimizer, findOptimizer, OPTIMIZERS } from '../../lopt/registry.ts';

test('names are unique and options documented', () => {
  expect(new Set(OPTIMIZERS.map(({ name }) => name)).size).toBe(OPTIMIZERS.length);
  for (const { name, source, summary, options } of OPTIMIZERS) {
    expect(source.length, name).toBeGreaterThan(10);
    expect(summary, name).not.toContain('\n');
    for (const row of optionRows(options)) expect(row.meaning.length, `${name} ${row.name}`).toBeGreaterThan(4);
  }
});

test('an unknown name is an error that lists what there is, shipped ones too', () => {
  expect(() => findOptimizer('adm', { shipped: ['celo2-digits'] })).toThrow(
    new RangeError(
      'Cannot find an optimizer: expected one of sgd, momentum, nesterov, rmsprop, adam, adamw, nadamw, gradient-clipping, ' +
        'decoupled-weight-decay, adafac-mlp, celo2, celo2-base, celo2-digits but got adm',
    ),
  );
});

test('options as read are JSON, defaults and all', () => {
  const lr = { schedule: 'linear', initial: 0.1, end: 0, total: null };
  const { options, needs } = createOptimizer('adam', { lr });
  expect(JSON.parse(JSON.stringify(options))).toEqual({
    lr,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    epsRoot: 0,
    weightDecay: 0,
  });
  expect(needs).toEqual(['horizon']);
  expect(createOptimizer('adam', { lr: { ...lr, total: 10 } }).needs).toEqual([]);
  expect(createOptimizer('gradient-clipping', { base: 'adam', lr }).needs).toEqual(['horizon']);
});
