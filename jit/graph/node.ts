import type { Graph, Node } from './graph.ts';

/** The graphs inside a node, by attribute. */
export function bodiesOf({ op, attrs }: Node): readonly (readonly [string, Graph])[] {
  if (op === 'call' || op === 'scan') return [['body', attrs.body]];
  if (op === 'cond')
    return [
      ['then', attrs.then],
      ['otherwise', attrs.otherwise],
    ];
  if (op === 'customGradient')
    return [
      ['forward', attrs.forward],
      ['backward', attrs.backward],
    ];
  return [];
}

/** What a node does, for people: `add`, `sum`, `argMax`, `scan`. */
export function nodeText({ op, attrs }: Node): string {
  if (op === 'argReduce') return attrs.fn === 'max' ? 'argMax' : 'argMin';
  if (op === 'cumulative') return attrs.fn === 'sum' ? 'cumsum' : 'cumprod';
  return 'fn' in attrs ? attrs.fn : op;
}
