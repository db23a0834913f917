import { describe, expect, test } from 'vitest';
import { deviationOf } from '../../lopt/conform/deviation.ts';
import { replayTrajectory } from '../../lopt/conform/replay.ts';
import { NotReplayable, parseTrajectory, type NotReplayableReason } from '../../lopt/conform/trajectory.ts';
import { array } from './arrays-of.ts';
import { engineOf } from './engines.ts';
import { readGolden, readTrajectory } from './golden-files.ts';

describe('deviationOf', () => {
  const tolerance = { absolute: 1e-3, relative: 0.1, outlierFraction: 0 };
  const deviation = (got: number[], outlierFraction = 0): number =>
    deviationOf(array(got), {
      reference: array([4, 1, 0, 0]),
      start: array([2, 1, 0, 0]),
      tolerance: { ...tolerance, outlierFraction },
    });

  test('is in parts of absolute * max(1, max|p|) + relative * max|p - start|', () => {
    // Tolerated: .001 * 4 + .1 * 2 = .204; off by .102.
    expect(deviation([4, 1.102, 0, 0])).toBeCloseTo(0.5, 5);
    expect(deviation([4, 1, 0, 0])).toBe(0);
  });

  test('leaves out the tolerated fraction of outliers', () => {
    expect(deviation([4, 1.102, 100, 0], 0.25)).toBeCloseTo(0.5, 5);
    expect(deviation([4, 1.102, 100, 0], 0.24)).toBeCloseTo(100 / 0.204, 2);
  });

  test('NaN and missing elements are infinitely far off, NaN where NaN is right is not', () => {
    expect(deviation([NaN, 1, 0, 0])).toBe(Infinity);
    expect(deviation([4, 1, 0])).toBe(Infinity);
    const at = { start: array([1]), tolerance };
    expect(deviationOf(array([NaN]), { ...at, reference: array([NaN]) })).toBe(0);
    expect(deviationOf(array([1]), { ...at, reference: array([NaN]) })).toBe(Infinity);
  });
});

test('a wrong rule doesn’t conform', async () => {
  await engineOf('tfjs');
  const trajectory = readTrajectory('hand/adam');
  const result = await replayTrajectory({ ...trajectory, options: { ...trajectory.options, beta2: 0.9 } });
  expect(result.conforms).toBe(false);
  expect(result.worst).toBeGreaterThan(10);
  const [first] = [...result.tensors.values()];
  expect(first?.step).toBeGreaterThan(0);
});

test('weights after the step are compared too', async () => {
  await engineOf('tfjs');
  const trajectory = readTrajectory('hand/sgd');
  const result = await replayTrajectory({ ...trajectory, weightsAfterStep: trajectory.paramsAfterStep });
  expect(result.worst).toBe(Infinity);
});

describe('what can’t be replayed says so', () => {
  const refusal = async (
    change: (golden: Record<string, unknown>) => unknown,
    name = 'adafac_mlp_h4',
  ): Promise<unknown> => {
    const golden = change(readGolden(name) as Record<string, unknown>);
    try {
      await replayTrajectory(parseTrajectory(golden, { inputs: readGolden('hand/inputs/inputs') }));
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test.each<[string, (golden: Record<string, unknown>) => unknown, NotReplayableReason, string]>([
    [
      'accumulators',
      () => readGolden('blocks/accumulators'),
      'no trajectory',
      'Cannot read a golden trajectory: expected tensor_order as a list but got nothing',
    ],
    [
      'a list',
      () => [1],
      'no trajectory',
      'Cannot read a golden trajectory: expected a golden trajectory as an object but got a list',
    ],
    [
      'a short array',
      (golden) => ({ ...golden, params0: { a: { shape: [2], data: [1] } } }),
      'no trajectory',
      'Cannot read a golden trajectory: expected params0 a with 2 elements but got 1',
    ],
    [
      'an unknown optimizer',
      (golden) => ({ ...golden, optimizer: 'velo' }),
      'unknown optimizer',
      'Cannot replay a golden: expected one of sgd, momentum, nesterov, rmsprop, adam, adamw, nadamw, gradient-clipping, decoupled-weight-decay, adafac-mlp, celo2, celo2-base but got velo',
    ],
    [
      'an unknown option',
      (golden) => ({ ...golden, options: { hidden: 4, width: 3 } }),
      'unknown option',
      'Cannot create adafac-mlp: expected the options hidden, layers, stepMult, expMult, momentumDecays, rmsDecays, factoredDecays but got width',
    ],
    [
      'another variant',
      (golden) => ({ ...golden, variant: 'timm' }),
      'variant not followed',
      'Cannot replay a golden: expected one of the variants adam--eps-root, rmsprop--centered, nadamw--optax, gradient-clipping--value, gradient-clipping--global-norm, gradient-clipping--block-rms but got adafac-mlp--timm',
    ],
    [
      'gradients of a problem',
      (golden) => ({ ...golden, gradients: 'evaluated on problem of inputs.json' }),
      'unmet need',
      'Cannot replay a golden: expected its gradients listed but got evaluated on problem of inputs.json',
    ],
    [
      'a theta file',
      (golden) => ({ ...golden, theta: undefined, theta_file: 'celo/theta.state' }),
      'unmet need',
      'Cannot replay a golden: expected the directory of pretrained files that holds celo/theta.state (--pretrained DIR) but got none',
    ],
  ])('%s', async (_, change, reason, message) => {
    const error = await refusal(change);
    expect(error).toBeInstanceOf(NotReplayable);
    expect(error).toMatchObject({ reason, message });
  });

  test('a theta that doesn’t fit is an error, never skipped', async () => {
    const error = await refusal((golden) => ({ ...golden, options: { hidden: 5 } }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).not.toBeInstanceOf(NotReplayable);
  });
});
