/**
 * Options: one schema states what a thing takes (an optimizer, a schedule, a task family), and validation, the command line, the
 * docs' tables and what an exported file says about itself all derive from it.
 *
 * Zero, false, '' and [] are values like any other: an option is unset only where its key is absent or undefined.
 */

/** Structural: fixes the program. Numeric: enters the program as a value, so that one program serves every setting. */
export type OptionRole = 'structural' | 'numeric';

/** Where a value stands, for error messages: `Cannot <doing>: expected option <path> to be ...`. */
export interface OptionPlace {
  /** What is being done: `create adam`. */
  readonly doing: string;
  /** The option's name, with those around it: `base.lr`. */
  readonly path: string;
}

/** One option: what it means, what it may be, what it is when not given. */
export interface Option<T> {
  readonly role: OptionRole;
  readonly default: T;
  /** What it may be, in words that follow "to be": `a number in [0, 1)`. */
  readonly expected: string;
  /** One line. */
  readonly meaning: string;
  /** Where the default or the rule comes from. */
  readonly source?: string;
  /** A validated copy. @throws TypeError for a wrong kind, RangeError for a value out of range. */
  read(value: unknown, place: OptionPlace): T;
}

/** Options by name, in the order in which they are shown. */
export type OptionSchema = Readonly<Record<string, Option<unknown>>>;

/** What a schema's options become once read. */
export type OptionsOf<S extends OptionSchema> = {
  readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never;
};

/** Options as a user gives them: JSON, or an object in code. */
export type GivenOptions = Readonly<Record<string, unknown>>;

/** What is said about an option whatever its type. */
export interface OptionText<T> {
  readonly default: T;
  readonly meaning: string;
  readonly source?: string;
  /** Default: structural. */
  readonly role?: OptionRole;
}

/** Bounds of a number: `min` and `max` belong to the range, `above` and `below` don't. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/**
 * Reads options by their schema: those given, defaults for the rest.
 * @throws TypeError or RangeError for what isn't an object, an unknown key, an ill-typed value, a value out of range.
 */
export function readOptions<S extends OptionSchema>(
  schema: S,
  given: unknown,
  { doing, within }: { readonly doing: string; readonly within?: string },
): OptionsOf<S> {
  if (!isRecord(given))
    throw new TypeError(
      `Cannot ${doing}: expected ${within === undefined ? 'options' : `option ${within}`} to be an object of options by name but got ${valueText(given)}`,
    );
  const path = (name: string): string => (within === undefined ? name : `${within}.${name}`);
  for (const name of Object.keys(given)) if (!Object.hasOwn(schema, name)) refuseUnknown(doing, path(name), schema);
  const read = Object.entries(schema).map(([name, option]): readonly [string, unknown] => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    return [name, value === undefined ? option.default : option.read(value, { doing, path: path(name) })];
  });
  // One boundary: each member was read by the option of its name.
  return Object.fromEntries(read) as OptionsOf<S>;
}

function refuseUnknown(doing: string, path: string, schema: OptionSchema): never {
  const names = Object.keys(schema);
  const known = names.length === 0 ? 'no options' : `the options ${names.join(', ')}`;
  throw new RangeError(`Cannot ${doing}: expected ${known} but got ${path}`);
}

/** A row of a table of options, as the command line, docs and `--json` show it. */
export interface OptionRow {
  readonly name: string;
  readonly role: OptionRole;
  readonly default: unknown;
  readonly expected: string;
  readonly meaning: string;
  readonly source?: string;
}

/** A schema as rows. */
export function optionRows(schema: OptionSchema): readonly OptionRow[] {
  return Object.entries(schema).map(([name, option]) => rowOf(name, option));
}

function rowOf(name: string, { role, default: value, expected, meaning, source }: Option<unknown>): OptionRow {
  const row = { name, role, default: value, expected, meaning };
  return source === undefined ? row : { ...row, source };
}

/** A finite number. */
export function numberOption(option: OptionText<number> & NumberRange): Option<number> {
  return plainOption(option, {
    expected: `a number${rangeText(option)}`,
    isKind: (value) => typeof value === 'number',
    isInRange: (value) => Number.isFinite(value) && inRange(value, option),
  });
}

/** A whole number. */
export function integerOption(option: OptionText<number> & NumberRange): Option<number> {
  return plainOption(option, {
    expected: `a whole number${rangeText(option)}`,
    isKind: (value) => typeof value === 'number',
    isInRange: (value) => Number.isSafeInteger(value) && inRange(value, option),
  });
}

export function booleanOption(option: OptionText<boolean>): Option<boolean> {
  return plainOption(option, {
    expected: 'true or false',
    isKind: (value) => typeof value === 'boolean',
    isInRange: () => true,
  });
}

export function textOption(option: OptionText<string>): Option<string> {
  return plainOption(option, {
    expected: 'a text',
    isKind: (value) => typeof value === 'string',
    isInRange: () => true,
  });
}

/** One of a closed set of names. */
export function choiceOption<const C extends string>(
  option: OptionText<NoInfer<C>> & { readonly choices: readonly C[] },
): Option<C> {
  return plainOption(option, {
    expected: `one of ${option.choices.join(', ')}`,
    isKind: (value) => typeof value === 'string',
    isInRange: (value) => option.choices.some((choice) => choice === value),
  });
}

/** A list whose elements are what another option reads; its default is ignored. */
export function listOption<T>(
  option: OptionText<readonly T[]> & {
    readonly element: Option<T>;
    readonly minLength?: number;
    readonly length?: number;
  },
): Option<readonly T[]> {
  const { element, minLength = 0, length } = option;
  const count = length === undefined ? (minLength === 0 ? '' : ` (at least ${minLength})`) : ` (${length})`;
  const expected = `a list${count} of: ${element.expected}`;
  return {
    ...text(option),
    expected,
    read(value, place) {
      if (!Array.isArray(value)) throw new TypeError(refusal(place, expected, value));
      if (value.length < minLength || (length !== undefined && value.length !== length))
        throw new RangeError(refusal(place, expected, value));
      return value.map((item: unknown, index) =>
        element.read(item, { doing: place.doing, path: `${place.path}[${index}]` }),
      );
    },
  };
}

/** Another option that may also be null, which is its default unless one is given. */
export function optional<T>(option: Option<T>, absent: T | null = null): Option<T | null> {
  const expected = `${option.expected}, or null`;
  return {
    ...option,
    default: absent,
    expected,
    read: (value, place) => (value === null ? null : option.read(value, place)),
  };
}

/** A regular expression (Unicode) from an option's text. @throws SyntaxError */
export function regularExpression(source: string, { doing, path }: OptionPlace): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch (cause) {
    const text = JSON.stringify(source);
    throw new SyntaxError(`Cannot ${doing}: expected option ${path} to be a regular expression but got ${text}`, {
      cause,
    });
  }
}

/** Throws the error of an option that isn't what it should be. */
export function refuseOption(place: OptionPlace, expected: string, value: unknown): never {
  throw new RangeError(refusal(place, expected, value));
}

/** The message of an option that isn't what it should be. */
export function refusal(place: OptionPlace, expected: string, value: unknown): string {
  return `Cannot ${place.doing}: expected option ${place.path} to be ${expected} but got ${valueText(value)}`;
}

/** A value as an error message shows it. */
export function valueText(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  const json = JSON.stringify(value, (_, part: unknown) => (typeof part === 'number' ? numberJson(part) : part));
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** Whether a value is an object of members by name: no array, no null, no class instance. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A range as text that follows "a number": ` in [0, 1)`, ` >= 0`, or nothing. */
export function rangeText({ min, max, above, below }: NumberRange): string {
  const low = above ?? min;
  const high = below ?? max;
  if (low !== undefined && high !== undefined)
    return ` in ${above === undefined ? '[' : '('}${low}, ${high}${below === undefined ? ']' : ')'}`;
  if (low !== undefined) return ` ${above === undefined ? '>=' : '>'} ${low}`;
  if (high !== undefined) return ` ${below === undefined ? '<=' : '<'} ${high}`;
  return '';
}

/** Whether a number lies in a range; NaN never does. */
export function inRange(value: number, { min, max, above, below }: NumberRange): boolean {
  return (
    value >= (min ?? -Infinity) &&
    value <= (max ?? Infinity) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

function numberJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function text<T>({ default: value, meaning, source, role = 'structural' }: OptionText<T>): OptionText<T> & {
  readonly role: OptionRole;
} {
  return { default: value, meaning, role, ...(source === undefined ? {} : { source }) };
}

function plainOption<T>(
  option: OptionText<T>,
  {
    expected,
    isKind,
    isInRange,
  }: { expected: string; isKind: (value: unknown) => boolean; isInRange: (value: T) => boolean },
): Option<T> {
  return {
    ...text(option),
    expected,
    read(value, place) {
      if (!isKind(value)) throw new TypeError(refusal(place, expected, value));
      // One boundary: `isKind` has just established the kind.
      if (!isInRange(value as T)) throw new RangeError(refusal(place, expected, value));
      return value as T;
    },
  };
}
