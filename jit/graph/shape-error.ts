/** A shape, dtype or attribute that a primitive can't take. */
export class ShapeError extends RangeError {
  override readonly name = 'ShapeError';
}
