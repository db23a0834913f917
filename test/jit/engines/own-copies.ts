import { expect } from 'vitest';
import type { Engine, Handle } from '../../../jit/engines/engine.ts';
import { recurrence, recurrenceInputs } from './programs.ts';

/** Asserts that the caller may change its array, and dispose a handle, as soon as it has asked, with six runs under way at once. */
export async function expectOwnCopies(engine: Engine): Promise<void> {
  const executable = await engine.compile(recurrence(2));
  const arrays = recurrenceInputs(2, 1);
  const want = await executable.run(new Map([...arrays].map(([name, array]) => [name, engine.upload(array)])));
  const results = await Promise.all(
    Array.from({ length: 6 }, () => {
      const handles = new Map(
        [...arrays].map(([name, { shape, dtype, data }]) => {
          const own = data.slice();
          const handle = engine.upload({ shape, dtype, data: own });
          own.fill(0);
          return [name, handle];
        }),
      );
      const run = executable.run(handles);
      for (const handle of handles.values()) handle.dispose();
      return run;
    }),
  );
  for (const outputs of results)
    expect(await engine.download(outputs.get('x') as Handle)).toEqual(await engine.download(want.get('x') as Handle));
  executable.dispose();
}
