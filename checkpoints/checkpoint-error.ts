/** A file or run directory that can't be used: damaged, truncated, foreign, in use, or missing. The message says where and what to do. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
  /** The file or directory, as the caller named it. */
  readonly file: string;

  constructor(file: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.file = file;
  }
}
