import { describe, expect, test } from 'vitest';
import { summarize } from '../../../meta/evaluation-result.ts';
import { fromJson, toJson } from '../../../checkpoints/json-numbers.ts';
import { chartSvg } from '../../../meta/report/chart.ts';
import { intervalText, numberText, tunedText } from '../../../meta/report/format.ts';
import { evaluationHtml } from '../../../meta/report/html.ts';
import { evaluationText, textTable } from '../../../meta/report/text-table.ts';
import { exampleEntry, exampleResult, exampleRow } from './example-result.ts';

describe('the HTML page', () => {
  const page = evaluationHtml(exampleResult());

  test('asks nothing of the network and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\((?!#clip-)|https?:/);
  });

  test('closes every element that it opens', () => {
    const open: string[] = [];
    for (const [, slash, name = '', selfClosing] of page.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
      if (selfClosing === '/' || ['meta', 'br'].includes(name)) continue;
      if (slash === '/') expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });

  test('escapes names', () => {
    expect(page).toContain('glyphs &lt;slant&gt; &amp; tanh');
    expect(page).not.toContain('<slant>');
  });

  test('states the method, the seeds and whether data was seen', () => {
    expect(page).toContain('Student’s t with n - 1 degrees of freedom');
    expect(page).toContain(
      'chosen by the mean final loss on fixed batches of the outerValid split over the tuning seeds (1000, 1001), neither of which is reported; what is shown are the seeds 0, 1, 2',
    );
    expect(page).toContain('data set seen by the meta-training of runs/a');
    expect(page).toContain('slanted (in place of mnist), batch 64; data set never seen by meta-training');
  });

  test('says where tuned Adam wins, diverged seeds included', () => {
    const section = /<h2>Where tuned Adam wins<\/h2>([\s\S]*?)<\/section>/.exec(page)?.[1] ?? '';
    expect(section.match(/<li>/g)).toHaveLength(1);
    expect(section).toContain('runs/a ends at 0.156 (1 of 3 seeds diverged), tuned Adam at 0.206.');
  });

  test('is a pure function of the result', () => {
    expect(evaluationHtml(exampleResult())).toBe(page);
  });
});

test('a rate at the end of the grid is said to be one', () => {
  const entry = exampleEntry('adam', { end: 0.2 });
  expect(tunedText(entry)).toBe('lr 0.003 falling');
  expect(tunedText({ ...entry, tuned: { lr: 3e8, schedule: 'constant', atEdge: true } })).toBe(
    'lr 3.0e8 constant (at the grid’s end: a better one may lie beyond)',
  );
});

describe('the chart', () => {
  const options = { steps: [0, 1, 2, 3], xLabel: 'step', yLabel: 'loss', title: 'a' };
  const curve = { label: 'adam', color: 1, emphasized: false };

  test('ends a diverged curve there and marks it', () => {
    const svg = chartSvg([{ ...curve, values: [1, 0.5, Number.NaN, 0.1] }], options);
    const points = /<polyline[^>]*points="([^"]*)"/.exec(svg)?.[1]?.split(' ');
    expect(points).toHaveLength(2);
    expect(svg).toContain('adam ×');
    expect(svg).not.toContain('NaN');
  });

  test('puts equal ratios at equal distances (log axis)', () => {
    const svg = chartSvg([{ ...curve, values: [1, 0.1, 0.01, 0.001] }], options);
    const ys = (/points="([^"]*)"/.exec(svg)?.[1] ?? '').split(' ').map((point) => Number(point.split(',')[1]));
    const gaps = ys.slice(1).map((y, index) => y - (ys[index] ?? 0));
    // Coordinates are rounded to a tenth.
    for (const gap of gaps) expect(Math.abs(gap - (gaps[0] ?? 0))).toBeLessThan(0.21);
  });

  test('draws values that are not positive on a linear axis', () => {
    expect(chartSvg([{ ...curve, values: [1, -1, 0, 2] }], options)).not.toContain('(log)');
  });

  test('says so when there is nothing to draw', () => {
    expect(chartSvg([{ ...curve, values: [Number.NaN, 1] }], options)).toBe(
      '<p class="note">Nothing to draw: every curve diverged before its first evaluation.</p>',
    );
  });

  test('draws equal values', () => {
    expect(chartSvg([{ ...curve, values: [2, 2, 2, 2] }], options)).not.toMatch(/NaN|Infinity/);
  });
});

describe('standings', () => {
  test('count a row with a diverged seed as lost', () => {
    const { all, unseen } = exampleResult().summary;
    expect(all.find(({ optimizer }) => optimizer === 'runs/a')).toEqual({
      optimizer: 'runs/a',
      rows: 2,
      lowerThanReference: 1,
      reachedInTime: 1,
      lossRatio: Number.NaN,
      diverged: 1,
    });
    expect(unseen.map(({ optimizer, rows }) => [optimizer, rows])).toEqual([
      ['runs/a', 1],
      ['adam', 1],
      ['sgd', 1],
    ]);
  });

  test('take the geometric mean of loss ratios', () => {
    const rows = [0.1, 0.4].map((end) =>
      exampleRow('t', [exampleEntry('x', { end }), exampleEntry('adam', { end: 0.2 })]),
    );
    const ratios = rows.map(({ entries }) => (entries[0]?.final.mean ?? 0) / (entries[1]?.final.mean ?? 0));
    const ratio = summarize(rows).all[0]?.lossRatio;
    expect(ratio).toBeCloseTo(Math.sqrt((ratios[0] ?? 0) * (ratios[1] ?? 0)), 12);
  });

  test('count what reaches tuned Adam in the longer run', () => {
    const longer = { horizon: 625, stepsToReference: 600, diverged: 0 };
    const row = exampleRow('t', [
      { ...exampleEntry('x', { end: 0.3 }), longer },
      exampleEntry('adam', { end: 0.2, stepsToReference: 500 }),
    ]);
    expect(summarize([row]).all[0]).toMatchObject({ optimizer: 'x', lowerThanReference: 0, reachedInTime: 1 });
  });
});

describe('texts', () => {
  test('of numbers and intervals', () => {
    expect([0, 0.12345, 1234.5, 2.5e-7, 1e30, Number.NaN, null].map(numberText)).toEqual([
      '0',
      '0.123',
      '1230',
      '2.5e-7',
      '1.0e30',
      'diverged',
      '–',
    ]);
    expect(intervalText({ mean: 0.34, interval: { low: 0.28, high: 0.4 }, count: 5 })).toBe('0.34 [0.28, 0.4]');
    expect(intervalText({ mean: 0.34, interval: null, count: 1 })).toBe('0.34 [–]');
    expect(intervalText({ mean: Number.NaN, interval: null, count: 0 })).toBe('diverged');
  });

  test('of a table', () => {
    expect(
      textTable(
        ['name', 'x'],
        [
          ['a', '10'],
          ['long', '2'],
        ],
      ),
    ).toBe(['  name   x', '  ────  ──', '  a     10', '  long   2'].join('\n'));
  });

  test('of an evaluation name the diverged seeds', () => {
    expect(evaluationText(exampleResult())).toContain('1 of 3');
  });
});

describe('numbers in JSON', () => {
  test('that are not finite can be told from missing ones, and come back', () => {
    const text = toJson({ loss: Number.NaN, lr: 1, steps: null, all: [Infinity, -Infinity] });
    expect(text).toBe('{"loss":"NaN","lr":1,"steps":null,"all":["Infinity","-Infinity"]}');
    expect(fromJson(text)).toEqual({ loss: Number.NaN, lr: 1, steps: null, all: [Infinity, -Infinity] });
  });

  test('of a whole result come back', () => {
    expect(fromJson(toJson(exampleResult()))).toEqual(exampleResult());
  });
});
