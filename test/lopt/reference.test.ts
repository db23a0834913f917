import { describe, expect, test } from 'vitest';
import { parseReference, referenceText } from '../../lopt/reference.ts';

describe('parseReference', () => {
  test.each([
    ['adam', { name: 'adam', options: {} }],
    ['adam{"lr":0.01}', { name: 'adam', options: { lr: 0.01 } }],
    ['runs/a@best', { name: 'runs/a@best', options: {} }],
    [
      { name: 'adam', lr: 0 },
      { name: 'adam', options: { lr: 0 } },
    ],
    ['clip{"base":{"name":"adam","lr":1}}', { name: 'clip', options: { base: { name: 'adam', lr: 1 } } }],
  ])('reads %j', (given, reference) => {
    expect(parseReference(given)).toEqual(reference);
  });

  test.each([
    ['', SyntaxError, 'Cannot read a reference: expected a name before { but got ""'],
    ['{"lr":1}', SyntaxError, 'Cannot read a reference: expected a name before { but got "{\\"lr\\":1}"'],
    ['adam{lr:1}', SyntaxError, 'Cannot read a reference: expected adam{json} but got "adam{lr:1}"'],
    [7, TypeError, 'Cannot read a reference: expected a name, name{json} or {"name": ..., options} but got 7'],
    [
      { lr: 1 },
      TypeError,
      'Cannot read a reference: expected a name, name{json} or {"name": ..., options} but got {"lr":1}',
    ],
  ])('refuses %j', (given, kind, message) => {
    expect(() => parseReference(given)).toThrow(new kind(message));
  });

  test('gives back what was read', () => {
    for (const text of ['adam', 'adam{"lr":0.01}']) expect(referenceText(parseReference(text))).toBe(text);
  });
});
