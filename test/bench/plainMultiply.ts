/**
 * y[m, n] = Σₖ x[m, k]·w[n, k] as plain JavaScript does it best: four rows by four outputs at a
 * time, so that sixteen sums share eight loads. Rows and outputs are multiples of four.
 */
export function plainMultiply(
  x: Float32Array,
  w: Float32Array,
  y: Float32Array,
  rows: number,
  outputs: number,
  inputs: number,
): void {
  for (let n = 0; n < outputs; n += 4) {
    const [w0, w1, w2, w3] = [n, n + 1, n + 2, n + 3].map((row) => row * inputs);
    for (let m = 0; m < rows; m += 4) {
      const x0 = m * inputs;
      const x1 = x0 + inputs;
      const x2 = x1 + inputs;
      const x3 = x2 + inputs;
      let [s00, s01, s02, s03] = [0, 0, 0, 0];
      let [s10, s11, s12, s13] = [0, 0, 0, 0];
      let [s20, s21, s22, s23] = [0, 0, 0, 0];
      let [s30, s31, s32, s33] = [0, 0, 0, 0];
      for (let k = 0; k < inputs; k++) {
        const a = w[w0 + k];
        const b = w[w1 + k];
        const c = w[w2 + k];
        const d = w[w3 + k];
        let v = x[x0 + k];
        s00 += v * a;
        s01 += v * b;
        s02 += v * c;
        s03 += v * d;
        v = x[x1 + k];
        s10 += v * a;
        s11 += v * b;
        s12 += v * c;
        s13 += v * d;
        v = x[x2 + k];
        s20 += v * a;
        s21 += v * b;
        s22 += v * c;
        s23 += v * d;
        v = x[x3 + k];
        s30 += v * a;
        s31 += v * b;
        s32 += v * c;
        s33 += v * d;
      }
      y.set([s00, s01, s02, s03], m * outputs + n);
      y.set([s10, s11, s12, s13], (m + 1) * outputs + n);
      y.set([s20, s21, s22, s23], (m + 2) * outputs + n);
      y.set([s30, s31, s32, s33], (m + 3) * outputs + n);
    }
  }
}
