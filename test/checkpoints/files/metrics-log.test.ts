import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MetricsLog, cutMetrics, lackingRecords, readMetrics } from '../../../checkpoints/files/metrics-log.ts';

let directory = '';
let path = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lopt-metrics-'));
  path = join(directory, 'metrics.ndjson');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function write(steps: readonly number[], loss: unknown = 0.5): void {
  const log = new MetricsLog(path);
  for (const step of steps) log.append({ step, loss, note: 'häß' });
  log.sync();
  log.close();
}

const stepsOf = async (): Promise<number[]> => (await readMetrics(path)).map(({ step }) => step);

test('writes one object a line and reads it back, diverged values included', async () => {
  write([0]);
  write([1], { train: Number.NaN, test: Number.POSITIVE_INFINITY, missing: null });
  expect(await readFile(path, 'utf8')).toBe(
    '{"step":0,"loss":0.5,"note":"häß"}\n' +
      '{"step":1,"loss":{"train":"NaN","test":"Infinity","missing":null},"note":"häß"}\n',
  );
  expect((await readMetrics(path))[1]?.loss).toEqual({
    train: Number.NaN,
    test: Number.POSITIVE_INFINITY,
    missing: null,
  });
});

test('no file has no records', async () => {
  expect(await readMetrics(path)).toEqual([]);
  expect(await cutMetrics(path, { step: 3 })).toEqual([]);
});

const whole = '{"step":0,"loss":0.5,"note":"häß"}\n{"step":1,"loss":0.5,"note":"häß"}\n';
const bytes = new TextEncoder().encode(whole);

// Every place at which a kill may have cut the last line, the middle of the two-byte letters included.
test('a last line cut anywhere is skipped, then cut away; the step is recorded once afterwards', async () => {
  const lineStart = whole.indexOf('\n') + 1 + 2; // two letters of the first line take a byte more
  for (let length = lineStart; length <= bytes.length; length += 1) {
    await writeFile(path, bytes.subarray(0, length));
    // The newline alone may lack: the record is whole then.
    const complete = length >= bytes.length - 1;
    expect(await stepsOf()).toEqual(complete ? [0, 1] : [0]);
    const kept = await cutMetrics(path, { step: 2 });
    expect(lackingRecords(kept, { step: 2 })).toBe(complete ? 0 : 1);
    const log = new MetricsLog(path);
    for (let step = kept.length; step < 4; step += 1) log.append({ step });
    log.close();
    expect(await stepsOf()).toEqual([0, 1, 2, 3]);
  }
});

test("records beyond the checkpoint's step are cut away", async () => {
  write([0, 1, 2, 3, 4]);
  await cutMetrics(path, { step: 3 });
  expect(await stepsOf()).toEqual([0, 1, 2]);
  await cutMetrics(path, { step: 0 });
  expect(await readFile(path, 'utf8')).toBe('');
});

test('a broken line elsewhere is an error that names it', async () => {
  const message = (got: string): string =>
    `Cannot read ${path}: expected line 2 to be a JSON object with a whole number named step but got ${got}. ` +
    'Restore the file, or delete the line: the run goes on without that record';
  for (const [line, got] of [
    ['{"step":1,"lo', '"{\\"step\\":1,\\"lo"'],
    ['', '""'],
    ['[1]', '"[1]"'],
    ['{"step":1.5}', '"{\\"step\\":1.5}"'],
    [`"${'x'.repeat(50)}"`, `"\\"${'x'.repeat(39)}..."`],
  ] as const) {
    await writeFile(path, `{"step":0}\n${line}\n{"step":2}\n`);
    await expect(readMetrics(path)).rejects.toThrow(message(got));
    await expect(cutMetrics(path, { step: 1 })).rejects.toThrow(message(got));
  }
});

test('a closed log and one that cannot be opened say so', () => {
  const log = new MetricsLog(path);
  log.close();
  log.close();
  expect(() => log.append({ step: 0 })).toThrow(`Cannot write ${path}: the log is closed`);
  const none = join(directory, 'none', 'metrics.ndjson');
  expect(() => new MetricsLog(none)).toThrow(`Cannot write ${none}: there is no such file or directory (ENOENT)`);
});

test('counts the steps without a record', () => {
  const lacking = (steps: readonly number[], step: number) =>
    lackingRecords(
      steps.map((recorded) => ({ step: recorded })),
      { step },
    );
  expect(lacking([], 0)).toBe(0);
  expect(lacking([], 5)).toBe(5);
  expect(lacking([0, 1, 2], 3)).toBe(0);
  expect(lacking([0, 1, 3], 4)).toBe(1);
  expect(lacking([0, 0, 1], 3)).toBe(1);
  expect(lacking([-1, 0, 1, 2, 7], 3)).toBe(0);
});
