/** A key: 64 bits from which draws are made. Opaque; made by `rootKey` and `fold`. */
export interface Key {
  readonly low: number;
  readonly high: number;
}
