import { type ValueType, sameType, typeText } from '../graph/graph.ts';
import type { Handle } from './engine.ts';

/** What a run takes: of a program that an engine made ready. */
export interface RunInputs {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly type: ValueType }[];
  /** Names of the inputs that a run consumes. */
  readonly donated: ReadonlySet<string>;
}

/**
 * The handles for a program's inputs, by name, each checked.
 * @throws RangeError when one is missing, unknown, of another type, or has been disposed or donated; TypeError when another engine made it.
 */
export function checkedInputs<H extends Handle & { readonly isDisposed: boolean }>(
  program: RunInputs,
  inputs: ReadonlyMap<string, Handle>,
  isOwn: (handle: Handle) => handle is H,
): Map<string, H> {
  const refuse = (expected: string, got: string): string =>
    `Cannot run ${program.name}: expected ${expected} but got ${got}`;
  const checked = new Map<string, H>();
  for (const { name, type } of program.inputs) {
    const handle = inputs.get(name);
    if (handle === undefined) throw new RangeError(refuse(`an input named ${name}`, 'none'));
    if (!isOwn(handle)) throw new TypeError(refuse(`a handle of this engine for ${name}`, "another engine's"));
    if (!sameType(handle, type)) throw new RangeError(refuse(`${typeText(type)} for ${name}`, typeText(handle)));
    if (handle.isDisposed)
      throw new RangeError(refuse(`a live handle for ${name}`, 'one that was disposed or donated to an earlier run'));
    checked.set(name, handle);
  }
  for (const name of inputs.keys())
    if (!checked.has(name)) throw new RangeError(refuse(`inputs ${[...checked.keys()].join(', ')}`, `also ${name}`));
  const donated = [...program.donated].map((name) => checked.get(name));
  for (const [name, handle] of checked)
    if (donated.filter((other) => other === handle).length > (program.donated.has(name) ? 1 : 0))
      throw new RangeError(refuse(`a handle of its own for each donated input`, `the same one for ${name}`));
  return checked;
}
