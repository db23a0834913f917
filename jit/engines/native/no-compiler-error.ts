const INSTALL =
  'install one (Debian and Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev; macOS: xcode-select --install) or set LOPT_CC to one';

/** There is no C compiler that the native engine can use. Callers that may use another engine catch it. */
export class NoCompilerError extends Error {
  override readonly name = 'NoCompilerError';
  /** What was looked at, and why it wasn't taken: `cc: not in PATH`. */
  readonly tried: readonly string[];

  constructor(tried: readonly string[], options?: ErrorOptions) {
    super(
      `Cannot start the native engine: expected a C compiler, gcc 9 or clang 10 or later, but found none (${tried.join('; ')}); ${INSTALL}, or use --engine onnx`,
      options,
    );
    this.tried = tried;
  }
}
