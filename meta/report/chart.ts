/** One curve of a chart: values by step, with an optional band about it. A value that isn't finite ends it. */
export interface ChartCurve {
  readonly label: string;
  /** Which of the page's colours, from 0. */
  readonly color: number;
  readonly emphasized: boolean;
  readonly values: readonly number[];
  readonly low?: readonly number[];
  readonly high?: readonly number[];
}

export interface ChartOptions {
  /** Steps of the values. */
  readonly steps: readonly number[];
  readonly xLabel: string;
  readonly yLabel: string;
  /** What a reader who can't see it is told. */
  readonly title: string;
}

const WIDTH = 720;
const HEIGHT = 340;
const MARGIN = { top: 14, right: 150, bottom: 44, left: 62 };
// A curve may leave the top of the plot by this factor over where it started before it is cut off: one that explodes shouldn't flatten the others.
const HEADROOM = 1.5;

/** Curves as an inline SVG with a logarithmic loss axis (linear where a value isn't positive), named at their ends. */
export function chartSvg(curves: readonly ChartCurve[], options: ChartOptions): string {
  const drawn = curves.map((curve) => ({ curve, length: finiteLength(curve.values) }));
  const scales = chartScales(drawn, options.steps);
  if (!scales) return `<p class="note">Nothing to draw: every curve diverged before its first evaluation.</p>`;
  const { x, y } = scales;
  const grid = [
    ...scales.yTicks.map(
      (tick) =>
        `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${MARGIN.left - 8}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle">${tickText(tick)}</text>`,
    ),
    ...scales.xTicks.map(
      (tick) =>
        `<text x="${x(tick)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${tick.toLocaleString('en')}</text>`,
    ),
  ];
  const clip = `clip-${Math.abs(hash(options.title))}`;
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const body = drawn.map(({ curve, length }) => curveSvg(curve, { length, steps: options.steps, x, y }));
  return [
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(options.title)}">`,
    `<defs><clipPath id="${clip}"><rect x="${MARGIN.left}" y="${MARGIN.top}" width="${plotWidth}" height="${plotHeight}"/></clipPath></defs>`,
    ...grid,
    `<text x="${MARGIN.left + plotWidth / 2}" y="${HEIGHT - 6}" text-anchor="middle" class="axis">${escapeXml(options.xLabel)}</text>`,
    `<text transform="translate(14 ${MARGIN.top + plotHeight / 2}) rotate(-90)" text-anchor="middle" class="axis">${escapeXml(options.yLabel)}${scales.logarithmic ? ' (log)' : ''}</text>`,
    `<g clip-path="url(#${clip})">`,
    ...body,
    '</g>',
    ...endLabels(drawn, { ...scales, steps: options.steps }),
    '</svg>',
  ].join('\n');
}

interface Drawn {
  readonly curve: ChartCurve;
  /** Number of leading values that are finite. */
  readonly length: number;
}

interface Scales {
  readonly logarithmic: boolean;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
}

function chartScales(drawn: readonly Drawn[], steps: readonly number[]): Scales | null {
  const values = drawn.flatMap(({ curve, length }) => curve.values.slice(0, length));
  if (values.length === 0) return null;
  const logarithmic = values.every((value) => value > 0);
  const starts = drawn.flatMap(({ curve, length }) => (length > 0 ? [curve.values[0] ?? 0] : []));
  const low = Math.min(...values);
  const start = Math.max(...starts);
  const ceiling = logarithmic ? start * HEADROOM : start + (HEADROOM - 1) * Math.max(1e-12, start - low);
  const top = Math.max(Math.min(Math.max(...values), ceiling), low);
  const to = logarithmic ? Math.log10 : (value: number): number => value;
  // A little air above and below, also where all values are equal.
  const air = Math.max((to(top) - to(low)) * 0.04, logarithmic ? 0.02 : Math.max(1e-6, Math.abs(top) * 0.02));
  const [bottomAt, topAt] = [to(low) - air, to(top) + air];
  const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 1];
  const spanX = Math.max(1, last - first);
  return {
    logarithmic,
    x: (step) => round(MARGIN.left + ((step - first) / spanX) * (WIDTH - MARGIN.left - MARGIN.right)),
    y: (value) =>
      round(MARGIN.top + ((topAt - to(value)) / (topAt - bottomAt)) * (HEIGHT - MARGIN.top - MARGIN.bottom)),
    xTicks: linearTicks(first, last, 6),
    yTicks: logarithmic ? logTicks(10 ** bottomAt, 10 ** topAt) : linearTicks(bottomAt, topAt, 6),
  };
}

function curveSvg(
  { color, emphasized, values, low, high }: ChartCurve,
  {
    length,
    steps,
    x,
    y,
  }: {
    readonly length: number;
    readonly steps: readonly number[];
    readonly x: Scales['x'];
    readonly y: Scales['y'];
  },
): string {
  const at = (list: readonly number[], index: number): string => `${x(steps[index] ?? 0)},${y(list[index] ?? 0)}`;
  const indices = Array.from({ length }, (_, index) => index);
  const line = indices.map((index) => at(values, index)).join(' ');
  const parts = [`<polyline class="line c${color}${emphasized ? ' strong' : ''}" points="${line}"/>`];
  if (low && high) {
    // The lower edge of an interval may fall below zero, where a logarithm has no place: it stays at the mean's hundredth.
    const floor = low.map((value, index) => (value > 0 ? value : (values[index] ?? 1) / 100));
    const bounded = indices.filter((index) => Number.isFinite(floor[index]) && Number.isFinite(high[index]));
    const edge = [...bounded.map((index) => at(high, index)), ...bounded.toReversed().map((index) => at(floor, index))];
    if (bounded.length > 1) parts.unshift(`<polygon class="band c${color}" points="${edge.join(' ')}"/>`);
  }
  const last = length - 1;
  if (length > 0 && length < values.length)
    parts.push(
      `<text class="cross c${color}" x="${x(steps[last] ?? 0)}" y="${y(values[last] ?? 0)}" text-anchor="middle" dominant-baseline="central">×</text>`,
    );
  return parts.join('');
}

/** Names beside the ends of the curves, moved apart where they would overlap. */
function endLabels(drawn: readonly Drawn[], { x, y, steps }: Scales & { readonly steps: readonly number[] }): string[] {
  const lineHeight = 15;
  const bottom = HEIGHT - MARGIN.bottom;
  const labels = drawn
    .filter(({ length }) => length > 0)
    .map(({ curve, length }) => ({
      curve,
      diverged: length < curve.values.length,
      at: Math.min(Math.max(y(curve.values[length - 1] ?? 1), MARGIN.top + 5), bottom),
    }))
    .toSorted((a, b) => a.at - b.at);
  let previous = Number.NEGATIVE_INFINITY;
  const placed = labels.map((label) => {
    previous = Math.max(label.at, previous + lineHeight);
    return { curve: label.curve, diverged: label.diverged, at: previous };
  });
  // Pushed below the plot: move the whole stack up.
  const excess = Math.max(0, (placed.at(-1)?.at ?? 0) - bottom);
  return placed.map(
    ({ curve, diverged, at }) =>
      `<text class="name c${curve.color}${curve.emphasized ? ' strong' : ''}" x="${x(steps.at(-1) ?? 0) + 8}" y="${round(at - excess)}" dominant-baseline="middle">${escapeXml(shortened(curve.label))}${diverged ? ' ×' : ''}</text>`,
  );
}

function shortened(label: string): string {
  return label.length > 20 ? `…${label.slice(-19)}` : label;
}

function finiteLength(values: readonly number[]): number {
  const end = values.findIndex((value) => !Number.isFinite(value));
  return end < 0 ? values.length : end;
}

/** 1, 2 and 5 times powers of ten; powers alone where the range is wide. */
function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const mantissas = decades > 4 ? [1] : decades > 0.5 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const mantissa of mantissas) {
      const tick = mantissa * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks;
}

/** About `count` round numbers between two ends. */
function linearTicks(low: number, high: number, count: number): number[] {
  const raw = Math.max((high - low) / count, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(raw));
  const stride = ([1, 2, 5, 10].find((mantissa) => mantissa * power >= raw) ?? 10) * power;
  const ticks: number[] = [];
  for (let index = Math.ceil(low / stride); index * stride <= high; index++) ticks.push(index * stride);
  return ticks;
}

function tickText(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A number from a text, for element names that don't clash on one page. */
function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (Math.imul(value, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return value;
}

/** Text made safe inside HTML and SVG, attributes too. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
