/**
 * Something in traced code that a Graph can't express. The message names the TensorFlow.js function, the place in the author's
 * code and the way out.
 */
export class TraceError extends TypeError {
  override readonly name = 'TraceError';
}
