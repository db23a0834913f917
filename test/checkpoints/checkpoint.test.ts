import { expect, test } from 'vitest';
import { CheckpointError } from '../../checkpoints/checkpoint-error.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  sha256,
  thetaOf,
  thetaTensors,
} from '../../checkpoints/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../../checkpoints/safetensors.ts';
import type { HostArray } from '../../jit/graph/graph.ts';

const theta = new Map<string, HostArray>([
  ['layer0/kernel', { shape: [1, 2], dtype: 'float32', data: Float32Array.of(0.5, -0) }],
  ['10', { shape: [], dtype: 'float32', data: Float32Array.of(7) }],
]);

const checkpoint: Checkpoint = {
  kind: 'run',
  optimizer: { name: 'adafac-mlp', options: { hidden: 4 } },
  facts: { step: 500, best: { step: 0, loss: 0 }, last: { loss: Number.NaN }, häß: '"sha256":"' },
  tensors: new Map([...thetaTensors(theta), ['done', { shape: [3], dtype: 'bool', data: Uint8Array.of(1, 0, 1) }]]),
};

const read = (bytes: Uint8Array) => decodeCheckpoint(bytes, { file: 'c.safetensors' });
const refusal = (problem: string) =>
  new CheckpointError('c.safetensors', `Cannot read c.safetensors as a checkpoint: ${problem}`);

test('comes back as it was written, and the same content gives the same bytes', async () => {
  const bytes = await encodeCheckpoint(checkpoint);
  const back = await read(bytes);
  expect(back).toEqual(checkpoint);
  expect([...thetaOf(back)]).toEqual([...theta]);
  expect(await encodeCheckpoint(back)).toEqual(bytes);
  // Reading leaves a Buffer, whose slices are views, as it was.
  const buffer = Buffer.from(bytes);
  expect(await read(buffer)).toEqual(checkpoint);
  expect(new Uint8Array(buffer)).toEqual(bytes);
});

test('the checksum is that of the file with 64 zeros in its place', async () => {
  const bytes = await encodeCheckpoint(checkpoint);
  const { tensors, metadata } = decodeSafetensors(bytes, { file: '' });
  const blank = encodeSafetensors({ tensors, metadata: new Map([...metadata, ['sha256', '0'.repeat(64)]]) });
  expect(metadata.get('sha256')).toBe(await sha256(blank));
  // FIPS 180-2, appendix B.1.
  expect(await sha256(new TextEncoder().encode('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('any changed byte and any cut is refused', async () => {
  const bytes = await encodeCheckpoint({ ...checkpoint, facts: {} });
  for (let index = 0; index < bytes.length; index += 1) {
    const damaged = bytes.slice();
    damaged[index] = (damaged[index] ?? 0) ^ 1;
    await expect(read(damaged)).rejects.toThrow(CheckpointError);
    await expect(read(bytes.subarray(0, index))).rejects.toThrow(CheckpointError);
  }
});

test('damaged data is told from damaged structure', async () => {
  const bytes = await encodeCheckpoint(checkpoint);
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 64;
  await expect(read(bytes)).rejects.toThrow(refusal('it is damaged: its content does not match its checksum'));
});

test('foreign and later files are refused', async () => {
  const foreign = encodeSafetensors({ tensors: checkpoint.tensors, metadata: new Map([['format', 'pt']]) });
  await expect(read(foreign)).rejects.toThrow(
    refusal('it is a safetensors file, but not one that lopt wrote (its metadata lacks "format":"lopt")'),
  );
  const later = encodeSafetensors({
    tensors: checkpoint.tensors,
    metadata: new Map([
      ['format', 'lopt'],
      ['version', '2'],
    ]),
  });
  await expect(read(later)).rejects.toThrow(refusal('expected format version 1 but got 2; a newer lopt may read it'));
  await expect(read(new TextEncoder().encode('not a checkpoint at all'))).rejects.toThrow(
    'Cannot read c.safetensors as safetensors: expected a header of at most 15 bytes, which follow, but its length says',
  );
});

/** A file of ours whose metadata someone changed, checksum and all. */
async function forged(changes: readonly (readonly [string, string])[]): Promise<Uint8Array> {
  const { tensors, metadata } = decodeSafetensors(await encodeCheckpoint(checkpoint), { file: '' });
  const changed = new Map([...metadata, ...changes]);
  const blank = encodeSafetensors({ tensors, metadata: new Map([...changed, ['sha256', '0'.repeat(64)]]) });
  return encodeSafetensors({ tensors, metadata: new Map([...changed, ['sha256', await sha256(blank)]]) });
}

test.each([
  ['kind', 'zoo', 'expected kind to be one of theta, run but got zoo'],
  ['optimizer', '{"name":7}', 'expected optimizer to be JSON with name and options'],
  ['optimizer', '{', 'expected optimizer to be JSON with name and options'],
  ['facts', '[]', 'expected facts to be a JSON object'],
])('a wrong %s is refused', async (name, text, problem) => {
  await expect(read(await forged([[name, text]]))).rejects.toThrow(refusal(problem));
});
