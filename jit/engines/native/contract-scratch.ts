/** The numbers of a matrix product o[r, c] = sum over k of a[r, k] * b[k, c]: extents, and strides in elements. */
export interface ProductLayout {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly aRow: number;
  readonly aInner: number;
  readonly bInner: number;
  readonly bColumn: number;
  readonly oRow: number;
  readonly oColumn: number;
}

/** LOPT_CHUNK, LOPT_WIDEST_PANEL and the lanes of the widest vector in c/contract.h. */
const CHUNK = 512;
const WIDEST_PANEL = 32;
const WIDEST_VECTOR = 16;
/** What a panel in place may span, in floats, before it is copied for this many rows or more. */
const WIDEST_SPAN = 65_536;
const FEWEST_ROWS = 32;

function areNeighbours(stride: number, extent: number): boolean {
  return stride === 1 || extent === 1;
}

/** The product as it is, or transposed: with rows and columns, a and b in each other's place. */
function transposed({ rows, columns, inner, aRow, aInner, bInner, bColumn, oRow, oColumn }: ProductLayout) {
  return {
    rows: columns,
    columns: rows,
    inner,
    aRow: bColumn,
    aInner: bInner,
    bInner: aInner,
    bColumn: aRow,
    oRow: oColumn,
    oColumn: oRow,
  };
}

/** LOPT_CONTRACT_COST: of a product with its columns in the lanes. */
function cost({ rows, columns, inner, bColumn, oColumn }: ProductLayout): number {
  return (
    3 * rows * inner * Math.ceil(columns / WIDEST_VECTOR) +
    (areNeighbours(bColumn, columns) ? 0 : inner * columns) +
    (areNeighbours(oColumn, columns) ? 0 : 3 * rows * columns)
  );
}

/** Floats of scratch that lopt_contract needs for a product: the same rule as lopt_contract_scratch in c/contract.h. */
export function contractScratch(product: ProductLayout): number {
  const swapped = transposed(product);
  const { rows, columns, inner, bInner, bColumn } = cost(swapped) < cost(product) ? swapped : product;
  const depth = Math.min(inner, CHUNK);
  const isInPlace = areNeighbours(bColumn, columns) && !(rows >= FEWEST_ROWS && depth * Math.abs(bInner) > WIDEST_SPAN);
  return isInPlace ? 0 : WIDEST_PANEL * depth;
}
