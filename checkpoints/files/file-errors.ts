const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full; free some space and try again'],
  ['EDQUOT', 'the disk quota is used up; free some space and try again'],
  ['EFBIG', 'the file would be larger than this process may write'],
  ['EROFS', 'the file system is read-only'],
  ['EACCES', 'permission was denied'],
  ['EPERM', 'permission was denied'],
  ['ENOENT', 'there is no such file or directory'],
  ['ENOTDIR', 'a part of the path is no directory'],
  ['EISDIR', 'it is a directory'],
  ['EEXIST', 'it exists already'],
  ['EMFILE', 'too many files are open'],
]);

/** The code of a file system error such as ENOENT; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Why a file operation failed, in words a user can act on. */
export function failureReason(error: unknown): string {
  const code = errorCode(error);
  const reason = code === undefined ? undefined : REASONS.get(code);
  if (reason !== undefined) return `${reason} (${code})`;
  return error instanceof Error ? error.message : String(error);
}
