import {
  summarize,
  type EvaluationEntry,
  type EvaluationResult,
  type EvaluationRow,
} from '../../../meta/evaluation-result.ts';
import { INTERVAL_METHOD, meanInterval } from '../../../meta/statistics.ts';

const STEPS = Array.from({ length: 51 }, (_, index) => index * 10);

/** An entry whose loss falls from 2.3 towards `end`, by seeds that differ a little; seed `divergesAt[0]` is NaN from point `divergesAt[1]`. */
export function exampleEntry(
  optimizer: string,
  {
    end,
    learned = false,
    diverges,
    seen = null,
    stepsToReference = null,
  }: {
    readonly end: number;
    readonly learned?: boolean;
    readonly diverges?: { readonly seed: number; readonly point: number };
    readonly seen?: boolean | null;
    readonly stepsToReference?: number | null;
  },
): EvaluationEntry {
  const losses = [0, 1, 2].map((seed) =>
    STEPS.map((step, point) =>
      diverges && seed === diverges.seed && point >= diverges.point
        ? Number.NaN
        : end + (2.3 - end) * Math.exp(-step / 80) + (point === 0 ? 0 : seed * 0.01 * end),
    ),
  );
  const finals = losses.map((curve) => curve.at(-1) ?? Number.NaN).filter(Number.isFinite);
  return {
    optimizer,
    kind: learned ? 'learned' : 'hand',
    tuned: learned ? null : { lr: 0.003, schedule: 'falling', atEdge: false },
    grid: learned
      ? []
      : [
          { lr: 0.003, schedule: 'constant', loss: end * 1.2 },
          { lr: 0.003, schedule: 'falling', loss: end },
          { lr: 0.01, schedule: 'falling', loss: Number.POSITIVE_INFINITY },
        ],
    seen,
    losses,
    final: meanInterval(finals),
    best: meanInterval(finals),
    accuracy: null,
    diverged: losses.length - finals.length,
    stepsToReference,
    longer: null,
    msPerStep: 0.25,
    msToReference: stepsToReference === null ? null : stepsToReference * 0.25,
  };
}

/** A row on which tuned Adam ends at 0.2. */
export function exampleRow(
  task: string,
  entries: readonly EvaluationEntry[],
  overrides: Partial<EvaluationRow> = {},
): EvaluationRow {
  return {
    task,
    family: 'image-mlp',
    dataSet: 'digits',
    replaces: null,
    parameters: 2410,
    horizon: 500,
    batchSize: 64,
    steps: STEPS,
    entries,
    ...overrides,
  };
}

/** Two rows: the learned optimizer wins the first; on the second one of its seeds diverges. */
export function exampleResult(): EvaluationResult {
  const rows = [
    exampleRow('digits [64,64]', [
      exampleEntry('runs/a', { end: 0.1, learned: true, seen: true, stepsToReference: 240 }),
      exampleEntry('adam', { end: 0.2, stepsToReference: 480 }),
      exampleEntry('sgd', { end: 0.5 }),
    ]),
    exampleRow(
      'glyphs <slant> & tanh',
      [
        exampleEntry('runs/a', { end: 0.15, learned: true, seen: false, diverges: { seed: 1, point: 20 } }),
        exampleEntry('adam', { end: 0.2, stepsToReference: 470 }),
        exampleEntry('sgd', { end: 0.4 }),
      ],
      { dataSet: 'slanted', replaces: 'mnist' },
    ),
  ];
  return {
    format: 'lopt-evaluation',
    formatVersion: 1,
    suite: 'held-out',
    scoredOn: 'means over 8 fixed batches of the test split',
    seeds: [0, 1, 2],
    tuningSeeds: [1000, 1001],
    intervalMethod: INTERVAL_METHOD,
    configuration: { engine: 'onnx', device: 'cpu', threads: 2, 'learning rates': '1e-5 to 1' },
    rows,
    summary: summarize(rows),
  };
}
