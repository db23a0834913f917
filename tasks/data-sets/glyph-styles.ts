/** A range from which a number is drawn evenly. */
export type Range = readonly [min: number, max: number];

/** How a style draws. Lengths are in the glyphs' units: the image is 2 wide. */
export interface GlyphStyle {
  readonly summary: string;
  /** Half the width of a stroke. */
  readonly thickness: Range;
  /** Largest rotation either way, as the tangent of half the angle. */
  readonly rotation: number;
  /** Stretch along x and y, each drawn apart. */
  readonly scale: Range;
  /** Largest shear either way. */
  readonly shear: number;
  /** Largest shift either way, along x and y. */
  readonly shift: number;
  /** Largest displacement of each end of a stroke, along x and y. */
  readonly wobble: number;
  /** How often a stroke is drawn, each time with displacements of its own. */
  readonly passes: number;
  /** Strokes that belong to no glyph. */
  readonly clutter: number;
  readonly profile: 'solid' | 'outline' | 'dotted';
  /** Brightness of strokes, and of what is behind them. */
  readonly ink: Range;
  readonly ground: Range;
  /** Change of the ground's brightness from one side of the image to the other. */
  readonly gradient: number;
  /** Probability that ink and ground change places. */
  readonly inversion: number;
  /** Largest change of a pixel's brightness, drawn for each pixel. */
  readonly noise: number;
}

const PLAIN: GlyphStyle = {
  summary: 'light strokes on black',
  thickness: [0.1, 0.16],
  rotation: 0.2,
  scale: [0.7, 1.1],
  shear: 0.25,
  shift: 0.28,
  wobble: 0.08,
  passes: 1,
  clutter: 0,
  profile: 'solid',
  ink: [0.7, 1],
  ground: [0, 0],
  gradient: 0,
  inversion: 0,
  noise: 0.1,
};

/**
 * The styles by name. Those that no recipe may meta-train on are marked in `RESERVED_STYLES`: the held-out suite uses them.
 */
export const GLYPH_STYLES = {
  'glyphs-plain': { ...PLAIN, rotation: 0.28 },
  'glyphs-bold': { ...PLAIN, summary: 'thick strokes on black', thickness: [0.2, 0.34] },
  'glyphs-sketch': {
    ...PLAIN,
    summary: 'thin strokes drawn twice with an unsteady hand',
    thickness: [0.05, 0.09],
    passes: 2,
    wobble: 0.16,
  },
  'glyphs-noisy': {
    ...PLAIN,
    summary: 'dim strokes among noise',
    thickness: [0.16, 0.26],
    ink: [0.75, 1],
    ground: [0.1, 0.2],
    noise: 0.15,
  },
  'glyphs-shaded': {
    ...PLAIN,
    summary: 'strokes lighter or darker than a shaded ground',
    ink: [0.8, 1],
    ground: [0, 0.2],
    rotation: 0.16,
    shift: 0.2,
    gradient: 0.25,
    inversion: 0.15,
  },
  'glyphs-outline': {
    ...PLAIN,
    summary: 'the outlines of thick strokes',
    thickness: [0.22, 0.3],
    rotation: 0.24,
    shift: 0.24,
    profile: 'outline',
  },
  'glyphs-dotted': { ...PLAIN, summary: 'strokes of dots', thickness: [0.1, 0.14], profile: 'dotted' },
} as const satisfies Readonly<Record<string, GlyphStyle>>;

export type GlyphStyleName = keyof typeof GLYPH_STYLES;

/** Styles kept for held-out tasks: no recipe may name them, and nothing is replaced by them unless a suite says so. */
export const RESERVED_STYLES = ['glyphs-outline', 'glyphs-dotted'] as const satisfies readonly GlyphStyleName[];
