import { afterAll, describe, expect, test } from 'vitest';
import { replayTrajectory } from '../../lopt/conform/replay.ts';
import { engineOf, WAYS } from './engines.ts';
import { readTrajectory, TRAJECTORIES } from './golden-files.ts';

const worst: string[] = [];
afterAll(() => console.info(`worst deviation in parts of each golden's own tolerance\n${worst.join('\n')}`));

describe.each(WAYS)('%s', (way) => {
  test.each(TRAJECTORIES)('%s', async (name) => {
    const engine = await engineOf(way);
    const result = await replayTrajectory(readTrajectory(name), engine === undefined ? {} : { engine });
    worst.push(`${way} ${name} ${result.worst.toFixed(4)}`);
    expect(result.tensors.size).toBe(6);
    expect(result.steps).toBeGreaterThanOrEqual(8);
    expect(result.worst).toBeLessThanOrEqual(1);
    expect(result.conforms).toBe(true);
  });
});
