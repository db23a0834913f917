/** A curve to draw on the terminal: values by step; one that isn't finite ends it. */
export interface TerminalCurve {
  readonly label: string;
  readonly points: readonly (readonly [step: number, value: number])[];
}

const MARKS = ['●', '○', '▲', '△', '■', '□'] as const;

export interface PlotOptions {
  /** Columns of the plot itself. */
  readonly width: number;
  readonly height: number;
  readonly title: string;
}

/**
 * Curves as text: a logarithmic axis where every value is positive, a linear one otherwise. Characters only, no escapes, so that it
 * can go to a file.
 */
export function plotCurves(curves: readonly TerminalCurve[], { width, height, title }: PlotOptions): string {
  const drawn = curves.map(({ label, points }) => ({ label, points: untilDiverged(points) }));
  const all = drawn.flatMap(({ points }) => points);
  if (all.length === 0) return `${title}: nothing to draw (every curve diverged at once)`;
  const values = all.map(([, value]) => value);
  const logarithmic = values.every((value) => value > 0);
  const scale = (value: number): number => (logarithmic ? Math.log(value) : value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [Math.min(...all.map(([step]) => step)), Math.max(...all.map(([step]) => step))];
  const grid = Array.from({ length: height }, () => Array.from({ length: width }, () => ' '));
  drawn.forEach(({ points }, index) => {
    for (const [step, value] of points) {
      const across = last === first ? 0 : ((step - first) / (last - first)) * (width - 1);
      const span = scale(high) - scale(low);
      const up = span === 0 ? 0 : ((scale(value) - scale(low)) / span) * (height - 1);
      const row = grid[height - 1 - Math.round(up)];
      if (row) row[Math.round(across)] = MARKS[index % MARKS.length] ?? '*';
    }
  });
  const labels = grid.map((_, row) => axisLabel(row, { height, low, high, logarithmic }));
  const margin = Math.max(...labels.map((label) => label.length));
  const body = grid.map((row, index) => `${(labels[index] ?? '').padStart(margin)} │${row.join('').trimEnd()}`);
  const legend = drawn.map(({ label }, index) => `${MARKS[index % MARKS.length]} ${label}`).join('   ');
  const steps = `${' '.repeat(margin)}  ${String(first).padEnd(Math.max(1, width - String(last).length))}${last}`;
  return [
    `${title}${logarithmic ? ' (log axis)' : ''}`,
    ...body,
    `${' '.repeat(margin)} └${'─'.repeat(width)}`,
    steps,
    `${' '.repeat(margin)}  ${legend}`,
  ].join('\n');
}

function untilDiverged(points: TerminalCurve['points']): TerminalCurve['points'] {
  const end = points.findIndex(([, value]) => !Number.isFinite(value));
  return end < 0 ? points : points.slice(0, end);
}

/** Values at the top, the bottom and two rows between. */
function axisLabel(
  row: number,
  {
    height,
    low,
    high,
    logarithmic,
  }: { readonly height: number; readonly low: number; readonly high: number; readonly logarithmic: boolean },
): string {
  const every = Math.max(1, Math.floor((height - 1) / 3));
  if (row % every !== 0 && row !== height - 1) return '';
  const share = height === 1 ? 0 : 1 - row / (height - 1);
  const value = logarithmic ? low * (high / low) ** share : low + (high - low) * share;
  return String(Number(value.toPrecision(3)));
}
