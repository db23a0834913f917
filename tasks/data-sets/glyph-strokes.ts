/** A point of a glyph: x to the right, y downwards, both from -1 to 1. */
export type Point = readonly [x: number, y: number];

/** A straight stroke. */
export type Stroke = readonly [from: Point, to: Point];

/** Strokes through points in turn. */
function line(...points: readonly Point[]): readonly Stroke[] {
  return points.slice(1).map((to, i): Stroke => [points[i] ?? to, to]);
}

/** The ten classes: their names and strokes. Several share parts, so that no single pixel tells them apart. */
export const GLYPHS: readonly { readonly name: string; readonly strokes: readonly Stroke[] }[] = [
  {
    name: 'ring',
    strokes: line(
      [0.3, -0.75],
      [0.75, -0.3],
      [0.75, 0.3],
      [0.3, 0.75],
      [-0.3, 0.75],
      [-0.75, 0.3],
      [-0.75, -0.3],
      [-0.3, -0.75],
      [0.3, -0.75],
    ),
  },
  { name: 'cross', strokes: [...line([0, -0.85], [0, 0.85]), ...line([-0.75, 0], [0.75, 0])] },
  { name: 'saltire', strokes: [...line([-0.7, -0.75], [0.7, 0.75]), ...line([0.7, -0.75], [-0.7, 0.75])] },
  { name: 'corner', strokes: line([-0.6, -0.8], [-0.6, 0.75], [0.7, 0.75]) },
  { name: 'tee', strokes: [...line([-0.75, -0.75], [0.75, -0.75]), ...line([0, -0.75], [0, 0.85])] },
  { name: 'zed', strokes: line([-0.7, -0.75], [0.7, -0.75], [-0.7, 0.75], [0.7, 0.75]) },
  { name: 'vee', strokes: line([-0.75, -0.75], [0, 0.8], [0.75, -0.75]) },
  { name: 'triangle', strokes: line([0, -0.8], [0.8, 0.7], [-0.8, 0.7], [0, -0.8]) },
  {
    name: 'aitch',
    strokes: [...line([-0.6, -0.8], [-0.6, 0.8]), ...line([0.6, -0.8], [0.6, 0.8]), ...line([-0.6, 0], [0.6, 0])],
  },
  { name: 'bolt', strokes: line([0.35, -0.85], [-0.45, 0.1], [0.45, 0], [-0.35, 0.85]) },
];
