import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { CommandContext } from '../../scripts/cli/command.ts';
import { nearest } from '../../scripts/cli/nearest.ts';
import { plotCurves } from '../../scripts/cli/plot.ts';
import { createProgress, durationText, shortNumber } from '../../scripts/cli/progress.ts';

/** A context whose stderr keeps what is written to it. */
function terminal({
  isTTY,
  environment = {},
}: {
  readonly isTTY: boolean;
  readonly environment?: Record<string, string>;
}): { readonly context: CommandContext; readonly written: () => string } {
  let written = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString('utf8');
      done();
    },
  });
  const stderr = Object.assign(sink, { isTTY, columns: 80 });
  return {
    context: { stdout: stderr, stderr, environment, signal: new AbortController().signal },
    written: () => written,
  };
}

describe('progress', () => {
  test.each([
    ['no terminal', { isTTY: false }],
    ['a dumb terminal', { isTTY: true, environment: { TERM: 'dumb' } }],
    ['NO_COLOR', { isTTY: true, environment: { NO_COLOR: '1' } }],
  ])('with %s writes whole lines, few of them, and no escapes', (_, given) => {
    const { context, written } = terminal(given);
    const progress = createProgress({ unit: 'steps', total: 5000 }, context);
    for (let step = 1; step <= 5000; step++) progress.update({ step, detail: 'meta-loss 1.23' });
    progress.note('saved');
    progress.stop();
    const lines = written().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThan(200);
    expect(written()).not.toContain('\r');
    expect(written()).not.toContain('\u001B');
    for (const line of lines.slice(0, -1))
      expect(line).toMatch(/^\d+\/5000 steps, [\d.e+]+ steps\/s, .*meta-loss 1\.23$/);
    expect(lines.at(-2)).toMatch(/^5000\/5000 steps/);
  });

  test('takes no speed from steps that were done before', () => {
    const { context, written } = terminal({ isTTY: false });
    createProgress({ unit: 'steps', total: 100, start: 50 }, context).update({ step: 50, detail: 'resumed' });
    expect(written()).toBe('50/100 steps, resumed\n');
  });

  test('of a short run still tells of its end', () => {
    const { context, written } = terminal({ isTTY: false });
    createProgress({ unit: 'steps', total: 1 }, context).update({ step: 1 });
    expect(written()).toMatch(/^1\/1 steps/);
  });

  test('on a terminal draws a bar', () => {
    const { context, written } = terminal({ isTTY: true, environment: { TERM: 'xterm' } });
    const progress = createProgress({ unit: 'steps', total: 10 }, context);
    progress.update({ step: 5, detail: 'meta-loss 1.23' });
    progress.stop();
    expect(written()).toContain('5/10 steps');
    expect(written()).toContain('█');
    expect(written()).toContain('meta-loss 1.23');
  });
});

test('durations and numbers as a person says them', () => {
  expect([12, 12_345, 200_000, 7_500_000].map(durationText)).toEqual(['12 ms', '12 s', '3 min 20 s', '2 h 5 min']);
  expect([0.012345, 1.2345, 123.45, Number.NaN].map(shortNumber)).toEqual(['0.0123', '1.23', '123', 'NaN']);
});

describe('the plot', () => {
  test('puts a curve on a logarithmic axis', () => {
    const points = [0, 1, 2, 3, 4].map((step): [number, number] => [step, 10 ** -step]);
    expect(plotCurves([{ label: 'loss', points }], { width: 9, height: 5, title: 'training loss' }))
      .toMatchInlineSnapshot(`
      "training loss (log axis)
           1 │●
         0.1 │  ●
        0.01 │    ●
       0.001 │      ●
      0.0001 │        ●
             └─────────
              0       4
              ● loss"
    `);
  });

  test('ends a curve where it diverges', () => {
    const points: [number, number][] = [
      [0, 1],
      [1, 0.5],
      [2, Number.NaN],
      [3, 0.1],
    ];
    const drawn = plotCurves([{ label: 'loss', points }], { width: 9, height: 3, title: 't' });
    expect(drawn.match(/●/g)).toHaveLength(3);
    expect(drawn).not.toContain('NaN');
  });

  test('says when there is nothing to draw', () => {
    expect(plotCurves([{ label: 'loss', points: [[0, Number.NaN]] }], { width: 9, height: 3, title: 't' })).toBe(
      't: nothing to draw (every curve diverged at once)',
    );
  });
});

test('the nearest word is the one meant', () => {
  const words = ['meta-train', 'train', 'evaluate', 'export'];
  expect(nearest('trian', words)).toBe('train');
  expect(nearest('evalute', words)).toBe('evaluate');
  expect(nearest('zzzzz', words)).toBeUndefined();
});
