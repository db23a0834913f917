/** A C compiler refused a program. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  /** Where the program was kept. */
  readonly sourcePath: string;
  /** All that the compiler printed. */
  readonly output: string;

  constructor(message: string, { sourcePath, output }: { readonly sourcePath: string; readonly output: string }) {
    super(message);
    this.sourcePath = sourcePath;
    this.output = output;
  }
}
