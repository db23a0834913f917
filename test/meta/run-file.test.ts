import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../meta/config.ts';
import { readRunFile, writeRunFile } from '../../meta/run-file.ts';

const RUN = {
  config: checkConfig({ tasks: [{ name: 'quadratic' }] }),
  overrides: ['steps=3'],
  replacedData: { mnist: 'digits' },
  data: [
    { task: 'image-mlp on digits', dataSet: 'digits', rows: 1797, sha256: '0a', classes: 10, fingerprint: '1b' },
    { task: 'own', dataSet: 'own', rows: 5, sha256: '0b' },
  ],
  engine: { name: 'onnx', device: 'cpu', threads: 2, version: '1.2', instructionSet: 'x64' },
  changes: [{ step: 0, what: 'outer steps raised from 1 to 3' }],
} as const;

const read = (members: object) => readRunFile(JSON.stringify({ format: 'lopt run 1', ...members }), 'run/config.json');

describe('readRunFile', () => {
  it('reads what was written', () => {
    expect(readRunFile(writeRunFile(RUN), 'run/config.json')).toEqual({ format: 'lopt run 1', ...RUN });
  });

  it.each([
    [{ engine: undefined }, 'engine to be an object but it is missing'],
    [{ engine: 'onnx' }, 'engine to be an object but got "onnx"'],
    [{ engine: { ...RUN.engine, threads: undefined } }, 'engine.threads to be a whole number >= 0 but it is missing'],
    [{ engine: { ...RUN.engine, name: 'other' } }, 'engine.name to be eager, onnx or native but got "other"'],
    [{ overrides: [1] }, 'overrides[0] to be a text but got 1'],
    [{ overrides: undefined }, 'overrides to be a list but it is missing'],
    [{ replacedData: { mnist: 3 } }, 'replacedData.mnist to be a text but got 3'],
    [{ replacedData: [] }, 'replacedData to be an object but got []'],
    [{ data: {} }, 'data to be a list but got {}'],
    [{ data: [{ ...RUN.data[0], rows: -1 }] }, 'data[0].rows to be a whole number >= 0 but got -1'],
    [{ data: [{ ...RUN.data[0], classes: '10' }] }, 'data[0].classes to be a whole number >= 0 but got "10"'],
    [{ changes: [null] }, 'changes[0] to be an object but got null'],
    [{ changes: [{ step: 1 }] }, 'changes[0].what to be a text but it is missing'],
  ])('refuses %j', (change, problem) => {
    expect(() => read({ ...RUN, ...change })).toThrow(
      new TypeError(`Cannot read run/config.json: expected ${problem}. Restore the file`),
    );
  });
});
