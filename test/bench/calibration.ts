// The loops of calibrated methods: Cholesky's factor against plain JavaScript, the products of inputs
// against the matrix product of the same build. One thread, processor time.
import {
  FACTOR_SCRATCH_BYTES,
  GRAM_SCRATCH_BYTES,
  LARGEST_BAND,
  type CalibrationKernels,
  type Run,
  type SquareMatrix,
} from '../../src/kernels/calibrationKernels.js';
import { countPackedWeightBytes } from '../../src/kernels/forwardKernels.js';
import { FIRST_FREE, wasmForward, type CalibrationSetup } from '../support/forwardKernels.js';
import { bestSeconds, generator } from './forward.js';

const ORDER = 1024;
const ROWS = 1024;
const REPETITIONS = 5;

export interface CalibrationRow {
  readonly name: string;
  readonly build: string;
  readonly gigaflops: number;
  readonly timesJavaScript?: number;
  readonly ofProduct?: number;
}

/** H = U·Uᵀ, row by row from the last, sums over doubles that follow each other. */
function plainFactor(h: Float64Array, n: number): void {
  for (let j = n - 1; j >= 0; j--) {
    for (let i = j; i >= 0; i--) {
      let sum = h[i * n + j];
      const [a, b] = [i * n, j * n];
      for (let k = j + 1; k < n; k++) sum -= h[a + k] * h[b + k];
      h[i * n + j] = i === j ? Math.sqrt(sum) : sum / h[j * n + j];
    }
  }
}

function bands(end: number): Run[] {
  return Array.from({ length: Math.ceil(end / LARGEST_BAND) }, (_, i) => ({
    first: i * LARGEST_BAND,
    end: Math.min((i + 1) * LARGEST_BAND, end),
  }));
}

/** What the tasks of a factorization do, on one thread. */
function factor(kernels: CalibrationKernels, matrix: SquareMatrix, scratch: number): void {
  for (const block of bands(matrix.order).reverse()) {
    const step = { matrix, block, scratch };
    if (!kernels.factorDiagonal(step, scratch + FACTOR_SCRATCH_BYTES)) throw new Error('No factor');
    for (const rows of bands(block.first)) kernels.solveRows(step, rows);
    for (const rows of bands(block.first)) kernels.updateRows(step, rows);
  }
}

/** A positive definite matrix. */
function positive(): Float64Array {
  const floats = generator()(ORDER * ORDER);
  const matrix = new Float64Array(ORDER * ORDER);
  for (let i = 0; i < ORDER; i++) {
    for (let j = i; j < ORDER; j++) {
      matrix[i * ORDER + j] = matrix[j * ORDER + i] = floats[i * ORDER + j];
    }
    matrix[i * ORDER + i] = ORDER;
  }
  return matrix;
}

function factorRow({ name, memory, calibration }: CalibrationSetup): CalibrationRow {
  const scratch = FIRST_FREE;
  const at = scratch + FACTOR_SCRATCH_BYTES + LARGEST_BAND * 8;
  const original = positive();
  const plain = original.slice();
  const placed = new Float64Array(memory.buffer, at, ORDER * ORDER);
  const inWasm = bestSeconds(() => {
    placed.set(original);
    factor(calibration, { at, order: ORDER }, scratch);
  }, REPETITIONS);
  const inJavaScript = bestSeconds(() => {
    plain.set(original);
    plainFactor(plain, ORDER);
  }, REPETITIONS);
  for (let i = 0; i < ORDER; i++) {
    for (let j = i; j < ORDER; j++) {
      if (Math.abs(placed[i * ORDER + j] - plain[i * ORDER + j]) > 1e-9) {
        throw new Error(`${name}: another factor`);
      }
    }
  }
  return {
    name: `Cholesky ${ORDER}`,
    build: name,
    gigaflops: ORDER ** 3 / 3 / inWasm / 1e9,
    timesJavaScript: inJavaScript / inWasm,
  };
}

function gramRow({ name, memory, kernels, calibration }: CalibrationSetup): CalibrationRow {
  const inputs = { at: FIRST_FREE, stride: ORDER };
  const scratch = inputs.at + ROWS * ORDER * 4;
  const gram = { at: scratch + GRAM_SCRATCH_BYTES, order: ORDER };
  new Float32Array(memory.buffer, inputs.at, ROWS * ORDER).set(generator()(ROWS * ORDER));
  const seconds = bestSeconds(() => {
    for (const band of bands(ORDER)) {
      calibration.addGram({ inputs, rows: ROWS, gram, band, scratch });
    }
  }, REPETITIONS);
  const packed = gram.at + ORDER * ORDER * 8;
  const panels = packed + kernels.packedInputBytes(256, ORDER);
  const output = { at: panels + countPackedWeightBytes(ORDER, ORDER), stride: ORDER };
  kernels.packInputs(inputs, 256, ORDER, packed);
  kernels.packRows(inputs, ORDER, ORDER, panels);
  const product = bestSeconds(
    () =>
      kernels.multiply({
        packedInputs: packed,
        packedWeights: panels,
        bias: 0,
        output,
        rows: 256,
        outputs: ORDER,
        inputs: ORDER,
        accumulate: false,
      }),
    REPETITIONS,
  );
  // Operations of one triangle: what the symmetry saves does not count.
  const gigaflops = (ROWS * ORDER * (ORDER + 1)) / seconds / 1e9;
  return {
    name: `Σxᵀx ${ROWS} × ${ORDER}`,
    build: name,
    gigaflops,
    ofProduct: gigaflops / ((2 * 256 * ORDER * ORDER) / product / 1e9),
  };
}

export async function calibrationRows(): Promise<CalibrationRow[]> {
  const setups = await wasmForward(64 << 20);
  return setups.flatMap((setup) => [factorRow(setup), gramRow(setup)]);
}

/** Prints the table of {@link calibrationRows}. */
export function printCalibration(rows: readonly CalibrationRow[]): void {
  const number = (value: number | undefined) =>
    (value === undefined ? '–' : value.toFixed(2)).padStart(10);
  console.log('\ncalibration, one thread'.padEnd(48) + '   GFLOP/s      × JS ÷ product');
  for (const { name, build, gigaflops, timesJavaScript, ofProduct } of rows) {
    console.log(
      name.padEnd(34) +
        build.padEnd(17) +
        [gigaflops, timesJavaScript, ofProduct].map(number).join(''),
    );
  }
}
