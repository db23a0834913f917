import { isRecord, valueText, type GivenOptions } from './options.ts';

/** An optimizer by name, with options. */
export interface Reference {
  readonly name: string;
  readonly options: GivenOptions;
}

/**
 * Reads `name`, `name{json}` or `{name, ...options}`.
 *
 * @example parseReference('adam{"lr":0.01}') // {name: 'adam', options: {lr: 0.01}}
 * @throws SyntaxError for a text that can't be read, TypeError for anything else.
 */
export function parseReference(reference: unknown): Reference {
  if (typeof reference === 'string') return parseText(reference);
  if (!isRecord(reference) || typeof reference['name'] !== 'string' || reference['name'] === '')
    throw new TypeError(
      `Cannot read a reference: expected a name, name{json} or {"name": ..., options} but got ${valueText(reference)}`,
    );
  const { name: _, ...options } = reference;
  return { name: reference['name'], options };
}

/** A reference as text: `adam{"lr":0.01}`. */
export function referenceText({ name, options }: Reference): string {
  return Object.keys(options).length === 0 ? name : `${name}${JSON.stringify(options)}`;
}

function parseText(text: string): Reference {
  const brace = text.indexOf('{');
  const name = (brace === -1 ? text : text.slice(0, brace)).trim();
  if (name === '')
    throw new SyntaxError(`Cannot read a reference: expected a name before { but got ${valueText(text)}`);
  if (brace === -1) return { name, options: {} };
  try {
    const options: unknown = JSON.parse(text.slice(brace));
    if (isRecord(options)) return { name, options };
  } catch (cause) {
    throw new SyntaxError(`Cannot read a reference: expected ${name}{json} but got ${valueText(text)}`, { cause });
  }
  throw new SyntaxError(`Cannot read a reference: expected ${name}{json} but got ${valueText(text)}`);
}
