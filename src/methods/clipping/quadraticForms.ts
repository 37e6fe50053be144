/** Rows that are multiplied at once, so that additions do not wait for one another. */
export const FORM_ROWS = 4;

/**
 * Errors of linear maps over a few inputs: dᵀGd for rows d, G being the inputs' products.
 * It adds in f64 and in one order, whatever the number of rows.
 */
export class QuadraticForms {
  /** Upper triangle of G by rows, elements beside the diagonal doubled. */
  private readonly triangle: Float64Array;
  /** Rows d, element by element: [size × FORM_ROWS]. */
  readonly rows: Float64Array;
  /** dᵀGd of each row, after {@link compute}. */
  readonly results = new Float64Array(FORM_ROWS);

  constructor(private readonly size: number) {
    this.triangle = new Float64Array((size * (size + 1)) / 2);
    this.rows = new Float64Array(size * FORM_ROWS);
  }

  /**
   * Takes the products of some inputs that follow one another.
   * @param gram f64 [stride × stride], symmetric
   * @param first index of the first of them
   */
  load(gram: Float64Array, stride: number, first: number): void {
    const { triangle, size } = this;
    let to = 0;
    for (let i = 0; i < size; i++) {
      const row = (first + i) * stride + first;
      triangle[to++] = gram[row + i];
      for (let j = i + 1; j < size; j++) triangle[to++] = 2 * gram[row + j];
    }
  }

  compute(): void {
    const { triangle, rows, size, results } = this;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let at = 0;
    const end = size * FORM_ROWS;
    for (let i = 0; i < end; i += FORM_ROWS) {
      let rowA = 0;
      let rowB = 0;
      let rowC = 0;
      let rowD = 0;
      for (let j = i; j < end; j += FORM_ROWS) {
        const product = triangle[at++];
        rowA += product * rows[j];
        rowB += product * rows[j + 1];
        rowC += product * rows[j + 2];
        rowD += product * rows[j + 3];
      }
      a += rowA * rows[i];
      b += rowB * rows[i + 1];
      c += rowC * rows[i + 2];
      d += rowD * rows[i + 3];
    }
    results[0] = a;
    results[1] = b;
    results[2] = c;
    results[3] = d;
  }
}
