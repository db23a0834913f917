import type { Images } from './resize.ts';

/**
 * What tells images and labels from others, whatever they are called: SHA-256 in hexadecimal digits of their extents, pixels and labels
 * as they were given, before any resizing. The same images as bytes and as floats differ.
 */
export async function imageFingerprint({ rows, size, pixels }: Images, labels: Int32Array): Promise<string> {
  const parts = [Int32Array.of(rows, ...size), labels, pixels].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
