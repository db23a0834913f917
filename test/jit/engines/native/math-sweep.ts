import { fileURLToPath } from 'node:url';
import { type Build, buildProgram, outputOf } from './c-programs.ts';

/** What math-sweep.c found out about a function. */
export interface Outcome {
  readonly fn: string;
  /** The largest error, in units in the last place, and the arguments where it is. */
  readonly worst: number;
  readonly where: string;
  /** Results for which the form for one element gives other bits than a lane of the vector form. */
  readonly differences: number;
  /** Of the bits of all results. */
  readonly hash: string;
}

/** Every `stride`-th float32 and as many pairs, in one build. */
export async function sweep(
  build: Build,
  { first, stride }: { first: number; stride: number },
): Promise<readonly Outcome[]> {
  const program = await buildProgram(fileURLToPath(new URL('math-sweep.c', import.meta.url)), build);
  const output = await outputOf(program, [String(first), String(stride)]);
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [fn = '', worst, a, b, differences, hash = ''] = line.split(' ');
      return { fn, worst: Number(worst), where: `${a} ${b}`, differences: Number(differences), hash };
    });
}

/** Largest errors allowed, in units in the last place; 4 where nothing is said. */
const LIMITS: Readonly<Record<string, number>> = {
  exp: 2,
  log: 2,
  tanh: 2,
  sigmoid: 2,
  erf: 2,
  sin: 2,
  cos: 2,
  pow: 2,
  rsqrt: 2,
  expm1: 2,
  log1p: 2,
  // Correctly rounded, or exact.
  sqrt: 0.5,
  reciprocal: 0.5,
  floor: 0,
  ceil: 0,
  round: 0,
  mod: 0,
};

/** Functions that are less accurate than promised, or differ between their forms: none. */
export function faults(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.flatMap(({ fn, worst, where, differences }) => {
    const limit = LIMITS[fn] ?? 4;
    const isAccurate = worst <= limit ? [] : [`${fn} is off by ${worst} units at ${where}, more than ${limit}`];
    return differences === 0 ? isAccurate : [...isAccurate, `${fn} of one element differs ${differences} times`];
  });
}
