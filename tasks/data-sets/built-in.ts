import type { DataSet } from './data-set.ts';
import { GLYPH_STYLES, type GlyphStyleName } from './glyph-styles.ts';
import { builtInGlyphs } from './glyphs.ts';

// The one cast: Object.keys gives the names of a closed record as text.
const NAMES = Object.keys(GLYPH_STYLES) as GlyphStyleName[];

/** Data sets that need no files: the procedural ones, by name. Images are drawn when a task first asks for them. */
export const BUILT_IN_DATA_SETS: ReadonlyMap<string, DataSet> = new Map(
  NAMES.map((name) => [name, builtInGlyphs(name)]),
);
