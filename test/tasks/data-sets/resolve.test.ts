import { describe, expect, it } from 'vitest';
import { resolveDataSets } from '../../../tasks/data-sets/resolve.ts';
import { countingDataSet } from '../eager.ts';

const digits = new Map([['digits', countingDataSet()]]);

describe('resolveDataSets', () => {
  it('keeps what is given or built in', () => {
    const given = new Map([...digits, ['mnist', countingDataSet()]]);
    expect(resolveDataSets(['mnist', 'digits', 'glyphs-bold'], given)).toEqual({
      uses: new Map([
        ['mnist', 'mnist'],
        ['digits', 'digits'],
        ['glyphs-bold', 'glyphs-bold'],
      ]),
      messages: [],
    });
  });

  it('replaces what is not, and says so once', () => {
    const { uses, messages } = resolveDataSets(['mnist', 'fashion-mnist', 'cifar10', 'svhn', 'mnist'], digits);
    expect([...uses.values()]).toEqual(['digits', 'glyphs-bold', 'glyphs-shaded', 'glyphs-noisy']);
    expect(messages[0]).toBe("data set mnist isn't given: digits takes its place (--data mnist=DIR gives it)");
    expect(messages.length).toBe(4);
  });

  it('takes stand-ins that are asked for first', () => {
    expect(resolveDataSets(['mnist'], digits, new Map([['mnist', 'glyphs-dotted']])).uses).toEqual(
      new Map([['mnist', 'glyphs-dotted']]),
    );
  });

  it('refuses names that it does not know', () => {
    expect(() => resolveDataSets(['diggits'], digits)).toThrow(
      new RangeError(
        'Cannot find data set diggits: expected one of digits, glyphs-plain, glyphs-bold, glyphs-sketch, glyphs-noisy, glyphs-shaded, glyphs-outline, glyphs-dotted, mnist, fashion-mnist, cifar10, svhn, kmnist, usps, or --data diggits=DIR',
      ),
    );
  });
});
