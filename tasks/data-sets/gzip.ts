/** Whether bytes are a gzip file: the content decides, not a name. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * The bytes themselves, or what they unpack to where they are a gzip file.
 * @param file what the bytes are called in errors.
 * @throws SyntaxError when the gzip file is damaged or truncated.
 */
export async function unpack(bytes: Uint8Array, { file }: { readonly file: string }): Promise<Uint8Array> {
  if (!isGzip(bytes)) return bytes;
  try {
    const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new SyntaxError(
      `Cannot read ${file}: expected a whole gzip file but it is damaged or truncated; fetch it again, or give it unpacked`,
      { cause },
    );
  }
}
