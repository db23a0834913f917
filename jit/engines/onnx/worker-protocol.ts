import type { DType, TypedArray } from '../../graph/graph.ts';

/** An input of a run: elements, or the number under which the worker has them already. */
export interface SentInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Under which the worker keeps the elements after the run; absent: it doesn't. */
  readonly id?: number;
  /** Absent when the worker has them. */
  readonly data?: TypedArray;
}

/** A named output: its type is the program's. */
export interface SentOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What a pool asks of a worker. Every request but `forget` is answered once. */
export type Request =
  | { readonly kind: 'compile'; readonly request: number; readonly program: number; readonly model: Uint8Array }
  | {
      readonly kind: 'run';
      readonly request: number;
      readonly program: number;
      readonly inputs: readonly SentInput[];
      readonly outputs: readonly SentOutput[];
    }
  | { readonly kind: 'forget'; readonly ids: readonly number[] }
  | { readonly kind: 'release'; readonly request: number; readonly program: number }
  | { readonly kind: 'stop'; readonly request: number };

/** A worker's answer. */
export type Answer =
  | { readonly request: number; readonly kind: 'done' }
  | { readonly request: number; readonly kind: 'results'; readonly results: ReadonlyMap<string, TypedArray> }
  | { readonly request: number; readonly kind: 'failed'; readonly message: string };
