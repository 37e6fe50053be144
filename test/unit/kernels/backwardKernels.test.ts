// The way back: loops against the reference, and the reference's gradients against central differences.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { LOGIT_ROW, type BackwardKernels } from '../../../src/kernels/backwardKernels.js';
import type { Matrix } from '../../../src/kernels/forwardKernels.js';
import { divergencesOf } from '../../../src/metrics/logitDivergence.js';
import { referenceForward, wasmForward, type ForwardSetup } from '../../support/forwardKernels.js';
import { Random, Scene } from '../../support/forwardScene.js';

const BYTES = 4 << 20;
const RUNS = { numRuns: 25, seed: 7 };
let setups: ForwardSetup[] = [];

beforeAll(async () => {
  setups = [referenceForward(BYTES), ...(await wasmForward(BYTES))];
});

const sizes = fc.record({
  rows: fc.integer({ min: 1, max: 13 }),
  columns: fc.integer({ min: 1, max: 37 }),
  seed: fc.nat(1e6),
});
type Sizes = { rows: number; columns: number; seed: number };

/** A matrix that a kernel works on. */
interface Operand {
  readonly values: Float32Array;
  /** True: what the kernel writes to. */
  readonly isResult: boolean;
}

/**
 * Runs a kernel in all setups; the loops must agree with the reference, and write nothing else.
 * @returns the results of the reference
 */
function runAll<Name extends string>(
  { rows, columns }: Sizes,
  operands: Readonly<Record<Name, Operand>>,
  call: (kernels: BackwardKernels, matrices: Readonly<Record<Name, Matrix>>, scene: Scene) => void,
): Readonly<Record<Name, Float32Array>> {
  const results = setups.map((setup) => {
    const scene = new Scene([setup]);
    const entries = Object.entries<Operand>(operands).map(
      ([name, { values }]) => [name, scene.matrix(rows, columns, values)] as const,
    );
    const matrices = Object.fromEntries(entries) as Record<Name, Matrix>;
    // Extra operands are laid out by the call itself, so what is around matrices is seen afterwards.
    call(setup.backward, matrices, scene);
    for (const [name, { at, stride }] of entries) {
      const all = new Float32Array(setup.memory.buffer, at, rows * stride);
      const gaps = all.filter((_, i) => i % stride >= columns);
      expect(
        gaps.every((gap) => gap === -123456.75),
        name,
      ).toBe(true);
    }
    return Object.fromEntries(
      entries.map(([name, matrix]) => [name, scene.read(setup, matrix, rows, columns)]),
    ) as Record<Name, Float32Array>;
  });
  const [reference, ...others] = results;
  for (const other of others) {
    for (const [name, { values, isResult }] of Object.entries<Operand>(operands)) {
      const wanted = isResult ? reference[name as Name] : values;
      const scale = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      other[name as Name].forEach((x, i) => {
        expect(Math.abs(x - wanted[i])).toBeLessThan(isResult ? 3e-6 * scale : 1e-30);
      });
    }
  }
  return reference;
}

/** Central differences of Σ direction·f(x) in f64. */
function differences(
  x: Float32Array,
  f: (x: Float64Array) => ArrayLike<number>,
  direction: ArrayLike<number>,
): Float64Array {
  const step = 1e-5;
  const valueAt = (i: number, change: number) => {
    const moved = Float64Array.from(x);
    moved[i] += change;
    return Array.from(f(moved)).reduce((sum, y, j) => sum + y * direction[j], 0);
  };
  return Float64Array.from(x, (_, i) => (valueAt(i, step) - valueAt(i, -step)) / (2 * step));
}

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 2e-6): void {
  const scale = Array.from(wanted).reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  for (let i = 0; i < wanted.length; i++) {
    expect(Math.abs(got[i] - wanted[i])).toBeLessThan(tolerance * scale);
  }
}

const operand = (values: Float32Array, isResult = false): Operand => ({ values, isResult });
const rowsOf = (x: ArrayLike<number>, rows: number) => {
  const columns = x.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: columns }, (_, i) => x[row * columns + i]),
  );
};

describe('a transposed matrix', () => {
  it('is packed as its rows would be', () => {
    for (const [rows, columns] of [
      [1, 1],
      [4, 5],
      [7, 23],
      [513, 12],
      [1100, 8],
    ]) {
      const values = new Random(rows).floats(rows * columns);
      for (const setup of setups) {
        const scene = new Scene([setup]);
        const source = scene.matrix(rows, columns, values);
        const turned = Float32Array.from(
          { length: rows * columns },
          (_, i) => values[(i % rows) * columns + Math.floor(i / rows)],
        );
        const matrix = scene.matrix(columns, rows, turned);
        const bytes = setup.kernels.packedInputBytes(columns, rows);
        const [one, other] = [scene.reserve(bytes), scene.reserve(bytes)];
        setup.backward.packTransposed(source, rows, columns, one);
        setup.kernels.packInputs(matrix, columns, rows, other);
        const floats = (at: number) => new Float32Array(setup.memory.buffer, at, bytes / 4 + 4);
        expect(floats(one)).toEqual(floats(other));
      }
    }
  });
});

describe('gradients', () => {
  it('of a root mean square norm', () =>
    fc.assert(
      fc.property(sizes, (size) => {
        const { rows, columns, seed } = size;
        const random = new Random(seed);
        const [x, gradient, before] = [1, 2, 3].map(() => random.floats(rows * columns));
        const weights = random.floats(columns);
        const [weightOffset, epsilon] = [seed % 2, 1e-2];
        const { target } = runAll(
          size,
          { source: operand(x), gradient: operand(gradient), target: operand(before, true) },
          (kernels, matrices, scene) =>
            kernels.rmsNormBackward({
              ...{ ...matrices, rows, columns, epsilon, weightOffset },
              weight: scene.put(weights),
            }),
        );
        const norm = (values: Float64Array) =>
          rowsOf(values, rows).flatMap((row) => {
            const mean = row.reduce((sum, each) => sum + each * each, 0) / columns;
            return Array.from(row, (each, i) => {
              return (each / Math.sqrt(mean + epsilon)) * (weights[i] + weightOffset);
            });
          });
        expectClose(
          target,
          differences(x, norm, gradient).map((each, i) => each + before[i]),
        );
      }),
      RUNS,
    ));

  it('of a gated activation', () =>
    fc.assert(
      fc.property(sizes, (size) => {
        const { rows, columns, seed } = size;
        const random = new Random(seed);
        const [gate, up] = [3, 1].map((scale) => random.floats(rows * columns, scale));
        const gradient = random.floats(rows * columns);
        const back = runAll(
          size,
          { gate: operand(gate, true), up: operand(up, true), gradient: operand(gradient) },
          (kernels, matrices) => kernels.gatedBackward({ ...matrices, rows, columns }),
        );
        const gated = (g: ArrayLike<number>, u: ArrayLike<number>) =>
          Array.from(g, (each, i) => (each / (1 + Math.exp(-each))) * u[i]);
        expectClose(
          back.gate,
          differences(gate, (g) => gated(g, up), gradient),
        );
        expectClose(
          back.up,
          differences(up, (u) => gated(gate, u), gradient),
        );
      }),
      RUNS,
    ));

  it('of a causal softmax', () =>
    fc.assert(
      fc.property(sizes, fc.nat(9), fc.nat(20), (size, window, before) => {
        const { rows, seed } = size;
        const columns = rows + before;
        const shape = { rows, columns, seed };
        const random = new Random(seed);
        const [scores, gradient] = [4, 1].map((scale) => random.floats(rows * columns, scale));
        const scale = 0.37;
        const results = runAll(shape, { scores: operand(scores, true) }, (kernels, matrices) =>
          kernels.causalSoftmax({ ...matrices, rows, columns, first: before, window, scale }),
        );
        const softmax = (values: Float64Array) =>
          rowsOf(values, rows).flatMap((row, r) => {
            const position = before + r;
            const e = Array.from(row, (s, key) =>
              key > position || (window > 0 && key <= position - window) ? 0 : Math.exp(s * scale),
            );
            const sum = e.reduce((total, each) => total + each, 0);
            return e.map((each) => each / sum);
          });
        expectClose(results.scores, softmax(Float64Array.from(scores)));
        const back = runAll(
          shape,
          { probabilities: operand(results.scores), gradient: operand(gradient, true) },
          (kernels, matrices) => kernels.softmaxBackward({ ...matrices, rows, columns, scale }),
        );
        expectClose(back.gradient, differences(scores, softmax, gradient));
      }),
      RUNS,
    ));

  const logSum = (row: ArrayLike<number>) => {
    const top = Math.max(...Array.from(row));
    return top + Math.log(Array.from(row).reduce((sum, x) => sum + Math.exp(x - top), 0));
  };

  it('of divergences between logits, and of a likelihood', () =>
    fc.assert(
      fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (size, gamma) => {
        const { rows, columns, seed } = size;
        const random = new Random(seed);
        const [student, teacher] = [2, 2].map((scale) => random.floats(rows * columns, scale));
        const factor = 0.3;
        const parameters = new Float64Array(rows * LOGIT_ROW.length);
        for (let row = 0; row < rows; row++) {
          const [x, b] = [student, teacher].map((all) =>
            all.subarray(row * columns, (row + 1) * columns),
          );
          parameters.set(
            [logSum(x), logSum(b), divergencesOf(b, x).reverse],
            row * LOGIT_ROW.length,
          );
        }
        const run = (hasTeacher: boolean) =>
          runAll(
            size,
            { student: operand(student, true), teacher: operand(teacher) },
            (kernels, matrices, scene) =>
              kernels.logitGradient({
                ...{ rows, columns, gamma, factor },
                student: matrices.student,
                teacher: hasTeacher ? matrices.teacher : undefined,
                parameters: scene.put(parameters),
              }),
          ).student;
        const loss = (values: Float64Array) =>
          rowsOf(values, rows).map((x, row) => {
            const b = teacher.subarray(row * columns, (row + 1) * columns);
            const [own, other] = [logSum(x), logSum(b)];
            let [forward, reverse] = [0, 0];
            x.forEach((logit, i) => {
              const [logQ, logP] = [logit - own, b[i] - other];
              forward += Math.exp(logP) * (logP - logQ);
              reverse += Math.exp(logQ) * (logQ - logP);
            });
            return factor * (gamma * reverse + (1 - gamma) * forward);
          });
        expectClose(run(true), differences(student, loss, new Float64Array(rows).fill(1)));
        const sums = (values: Float64Array) => rowsOf(values, rows).map((x) => factor * logSum(x));
        expectClose(run(false), differences(student, sums, new Float64Array(rows).fill(1)));
      }),
      RUNS,
    ));
});

describe('AdamW', () => {
  it('steps as its formula says', () =>
    fc.assert(
      fc.property(sizes, (size) => {
        const { columns, seed } = size;
        const random = new Random(seed);
        const [w, g, m] = [1, 2, 3].map(() => random.floats(columns));
        const v = random.floats(columns).map((x) => x * x);
        const step = seed % 50;
        const [beta1, beta2, rate, decay, epsilon] = [0.9, 0.95, 0.01, 0.1, 1e-8];
        const [correction1, correction2] = [1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)];
        const after = runAll(
          { rows: 1, columns, seed },
          {
            weights: operand(w, true),
            gradient: operand(g),
            first: operand(m, true),
            second: operand(v, true),
          },
          (kernels, { weights, gradient, first, second }) =>
            kernels.adamStep({
              ...{ weights: weights.at, gradient: gradient.at, first: first.at },
              ...{ second: second.at, count: columns, beta1, beta2, rate, decay, epsilon },
              ...{ correction1, correction2 },
            }),
        );
        const wanted = Float64Array.from(w, (each, i) => {
          const mean = (beta1 * m[i] + (1 - beta1) * g[i]) / correction1;
          const square = (beta2 * v[i] + (1 - beta2) * g[i] ** 2) / correction2;
          return each - rate * decay * each - (rate * mean) / (Math.sqrt(square) + epsilon);
        });
        expectClose(after.weights, wanted);
      }),
      RUNS,
    ));
});
