import { createHash } from 'node:crypto';
import { readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCacheFile } from './cache-directory.ts';

// An entry of the cache is two files: a library, named by its key and its content, and a manifest `<key>.json` that names it with its
// size and checksum. The manifest is written last and by renaming, so whatever dies or races, a reader finds an entry that is whole,
// or one that its checksum betrays, or none.

const FORMAT = 'lopt native library 1';
const EXTENSION = process.platform === 'darwin' ? '.dylib' : '.so';

interface Manifest {
  readonly format: string;
  readonly key: string;
  readonly library: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');

/** Key of whatever decides over an entry's content: 32 hexadecimal digits. */
export function entryKey(parts: unknown): string {
  return sha256(JSON.stringify([FORMAT, process.platform, process.arch, parts])).slice(0, 32);
}

/** Path of the library under a key, after a look at its size and checksum; undefined where there is none that can be trusted. */
export async function lookUp(directory: string, key: string): Promise<string | undefined> {
  const path = join(directory, `${key}.json`);
  try {
    const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
    // A name that the checksum doesn't lead to could point anywhere.
    if (manifest.format !== FORMAT || manifest.key !== key || manifest.library !== libraryName(key, manifest.sha256))
      return undefined;
    const library = join(directory, manifest.library);
    const content = await readFile(library);
    if (content.byteLength !== manifest.sizeBytes || sha256(content) !== manifest.sha256) return undefined;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return library;
  } catch {
    return undefined;
  }
}

function libraryName(key: string, hash: string): string {
  return `${key}-${hash.slice(0, 16)}${EXTENSION}`;
}

/**
 * Moves a library just built in a folder of the same file system into the cache; gives its path there.
 * @throws Error of the file system when that can't be written.
 */
export async function enter(directory: string, key: string, built: string): Promise<string> {
  const content = await readFile(built);
  const hash = sha256(content);
  const library = libraryName(key, hash);
  const manifest: Manifest = { format: FORMAT, key, library, sizeBytes: content.byteLength, sha256: hash };
  await rename(built, join(directory, library));
  await writeCacheFile(join(directory, `${key}.json`), JSON.stringify(manifest));
  return join(directory, library);
}

const DAY_MS = 24 * 3600 * 1000;
/** Entries as young as this stay: their library may not be loaded yet. */
const YOUNG_MS = 60 * 1000;

export interface PruneOptions {
  /** Default: 512 MiB. */
  readonly limitBytes?: number;
}

/** Removes the entries used longest ago until the rest is within the limit, and what killed processes left behind. */
export async function prune(directory: string, { limitBytes = 512 << 20 }: PruneOptions = {}): Promise<void> {
  const now = Date.now();
  const groups = new Map<string, { paths: string[]; sizeBytes: number; usedMs: number }>();
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const status = await stat(path).catch(() => undefined);
    if (status === undefined) continue;
    if (name.startsWith('.build-')) {
      if (now - status.mtimeMs > DAY_MS) await rm(path, { recursive: true, force: true });
      continue;
    }
    const [group] = /^(?:compiler-)?[0-9a-f]{32}/.exec(name) ?? [];
    if (group === undefined || !status.isFile()) continue;
    const { paths, sizeBytes, usedMs } = groups.get(group) ?? { paths: [], sizeBytes: 0, usedMs: 0 };
    groups.set(group, {
      paths: [...paths, path],
      sizeBytes: sizeBytes + status.size,
      usedMs: Math.max(usedMs, status.mtimeMs),
    });
  }
  const oldestFirst = [...groups.values()].sort((a, b) => a.usedMs - b.usedMs);
  let total = oldestFirst.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { paths, sizeBytes, usedMs } of oldestFirst) {
    if (total <= limitBytes || now - usedMs < YOUNG_MS) return;
    // The manifest goes first: without it nothing leads to the library.
    for (const path of paths.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json'))))
      await rm(path, { force: true });
    total -= sizeBytes;
  }
}
