/** What the compiled module exports for calibrated methods; see `assembly/calibration`. Addresses in bytes, strides in elements. */
export interface CalibrationExports {
  addGram(
    x: number,
    stride: number,
    rows: number,
    gram: number,
    order: number,
    first: number,
    end: number,
    scratch: number,
  ): void;
  addStatistics(
    x: number,
    stride: number,
    rows: number,
    columns: number,
    sums: number,
    lows: number,
    highs: number,
  ): void;
  copyTriangle(h: number, order: number, first: number, end: number, toLower: number): void;
  factorDiagonal(
    h: number,
    order: number,
    first: number,
    end: number,
    floors: number,
    scratch: number,
  ): number;
  solveRows(
    h: number,
    order: number,
    first: number,
    end: number,
    rowFirst: number,
    rowEnd: number,
    scratch: number,
  ): void;
  updateRows(
    h: number,
    order: number,
    first: number,
    end: number,
    rowFirst: number,
    rowEnd: number,
    scratch: number,
  ): void;
  propagate(
    u: number,
    order: number,
    inverses: number,
    errors: number,
    panels: number,
    depth: number,
    first: number,
    end: number,
    target: number,
    scratch: number,
  ): void;
  packWindow(
    u: number,
    order: number,
    inverses: number,
    first: number,
    end: number,
    target: number,
  ): void;
  substitute(factor: number, width: number, panels: number, target: number): void;
  gather(
    factor: number,
    width: number,
    panels: number,
    target: number,
    errors: number,
    step: number,
    column: number,
  ): void;
  spread(
    factor: number,
    width: number,
    panels: number,
    target: number,
    errors: number,
    step: number,
    column: number,
  ): void;
  findNearest(
    vectors: number,
    stride: number,
    count: number,
    length: number,
    codebook: number,
    centroids: number,
    target: number,
  ): void;
}
