// The loops of a forward pass in WebAssembly, both builds, against the reference: results, and that
// nothing beside them is written.
import { beforeAll, describe, expect, it } from 'vitest';
import { countPackedWeightBytes, type Activation } from '../../../src/kernels/forwardKernels.js';
import { erf } from '../../../src/kernels/reference/forward/functions.js';
import { referenceForward, wasmForward, type ForwardSetup } from '../../support/forwardKernels.js';
import { expectAgreement, Random, Scene } from '../../support/forwardScene.js';

const BYTES = 6 << 20;
let setups: ForwardSetup[] = [];

beforeAll(async () => {
  setups = [referenceForward(BYTES), ...(await wasmForward(BYTES))];
});

describe('packing', () => {
  const random = new Random(1);
  it.each([
    [1, 1],
    [8, 4],
    [7, 3],
    [9, 17],
    [64, 64],
    [20, 133],
  ])('%i × %i: panels are the same floats', (outputs, inputs) => {
    const scene = new Scene(setups);
    const rows = scene.matrix(outputs, inputs, random.floats(outputs * inputs));
    const columns = scene.matrix(inputs, outputs, random.floats(outputs * inputs));
    const fromRows = scene.reserve(countPackedWeightBytes(outputs, inputs));
    const fromColumns = scene.reserve(countPackedWeightBytes(outputs, inputs));
    expectAgreement(
      scene,
      ({ kernels }) => {
        kernels.packRows(rows, outputs, inputs, fromRows);
        kernels.packColumns(columns, outputs, inputs, fromColumns);
      },
      0,
    );
  });
});

/** One product in all setups, compared with each other. */
function checkProduct(
  random: Random,
  [rows, outputs, inputs]: readonly number[],
  withBias: boolean,
  add: boolean,
  scale = 1,
): void {
  const scene = new Scene(setups);
  const x = scene.matrix(rows, inputs, random.floats(rows * inputs, scale));
  const w = scene.matrix(outputs, inputs, random.floats(outputs * inputs));
  const y = scene.matrix(rows, outputs, random.floats(rows * outputs), random.integer(0, 5));
  const bias = withBias ? scene.put(random.floats(outputs)) : 0;
  const panels = scene.reserve(countPackedWeightBytes(outputs, inputs));
  const bytes = (setup: ForwardSetup) => setup.kernels.packedInputBytes(rows, inputs);
  const packed = scene.reserve(Math.max(...setups.map(bytes)));
  expectAgreement(
    scene,
    ({ kernels }) => {
      kernels.packRows(w, outputs, inputs, panels);
      kernels.packInputs(x, rows, inputs, packed);
      kernels.multiply({
        packedInputs: packed,
        packedWeights: panels,
        bias,
        output: y,
        rows,
        outputs,
        inputs,
        accumulate: add,
      });
    },
    (1e-5 + 4e-7 * inputs) * scale,
    [{ at: packed, bytes }],
  );
}

describe('multiply', () => {
  const random = new Random(2);
  const heights = Array.from({ length: 13 }, (_, i) => i + 1);

  it.each(heights)('%i rows, all kinds of edges', (rows) => {
    for (const outputs of [1, 3, 7, 8, 9, 16, 23]) {
      for (const inputs of [1, 2, 5, 64])
        checkProduct(random, [rows, outputs, inputs], true, false);
    }
  });

  it('random shapes, with and without bias, written or added', () => {
    for (let i = 0; i < 24; i++) {
      const shape = [random.integer(1, 70), random.integer(1, 70), random.integer(1, 300)];
      checkProduct(random, shape, i % 2 === 0, i % 4 < 2);
    }
  });

  it.each([511, 512, 513, 1024, 1537])('%i inputs: several slices, one bias', (inputs) => {
    checkProduct(random, [7, 12, inputs], true, true);
    checkProduct(random, [13, 9, inputs], true, false);
  });

  it('no rows: nothing happens', () => checkProduct(random, [0, 8, 8], true, false));

  it('values of 1e30', () => checkProduct(random, [6, 8, 40], true, false, 1e30));
});

describe('norms', () => {
  const random = new Random(3);
  const shapes = [1, 2, 3, 4, 5, 64, 131, 1024];

  it.each(shapes)('%i columns', (columns) => {
    for (const [rows, scale, shift] of [
      [3, 1, 0],
      [1, 1e30, 0],
      [2, 1e-20, 0],
      [2, 0.1, 1000],
      [0, 1, 0],
    ]) {
      const scene = new Scene(setups);
      const values = random.floats(rows * columns, scale).map((v) => v + shift);
      const source = scene.matrix(rows, columns, values);
      const inPlace = scene.matrix(rows, columns, values);
      const target = scene.matrix(rows, columns);
      const other = scene.matrix(rows, columns);
      const plain = scene.matrix(rows, columns);
      const weight = scene.put(random.floats(columns));
      const bias = scene.put(random.floats(columns));
      expectAgreement(
        scene,
        ({ kernels }) => {
          kernels.rmsNorm({
            source,
            rows,
            columns,
            weight,
            weightOffset: 1,
            epsilon: 1e-6,
            target,
          });
          kernels.rmsNorm({
            source: inPlace,
            rows,
            columns,
            weight,
            weightOffset: 0,
            epsilon: 1e-5,
            target: inPlace,
          });
          kernels.layerNorm({ source, rows, columns, weight, bias, epsilon: 1e-5, target: other });
          kernels.layerNorm({
            source,
            rows,
            columns,
            weight: 0,
            bias: 0,
            epsilon: 1e-5,
            target: plain,
          });
          kernels.layerNorm({
            source: inPlace,
            rows,
            columns,
            weight,
            bias: 0,
            epsilon: 1e-5,
            target: inPlace,
          });
        },
        1e-6,
      );
    }
  });
});

describe('rotate', () => {
  const random = new Random(4);
  it.each([
    [1, 1, 2, 2],
    [5, 3, 8, 8],
    [4, 2, 24, 16],
    [3, 4, 80, 20],
    [2, 2, 7, 6],
  ])('%i rows, %i heads of %i, %i dims', (rows, heads, headSize, dims) => {
    const scene = new Scene(setups);
    const values = scene.matrix(rows, heads * headSize, random.floats(rows * heads * headSize));
    const angles = random.floats((rows * dims) / 2, 3);
    const cos = scene.put(angles.map(Math.cos));
    const sin = scene.put(angles.map(Math.sin));
    const rotation = { rows, heads, headStride: headSize, dims, cos, sin };
    const pairs = scene.matrix(rows, heads * headSize, random.floats(rows * heads * headSize));
    expectAgreement(
      scene,
      ({ kernels }) => {
        kernels.rotate({ ...rotation, values, interleaved: false });
        kernels.rotate({ ...rotation, values: pairs, interleaved: true });
      },
      1e-6,
    );
  });
});

describe('activations', () => {
  const kinds: readonly Activation[] = [
    'silu',
    'gelu',
    'gelu-tanh',
    'gelu-10',
    'quick-gelu',
    'relu',
    'relu2',
  ];
  const extremes = [0, -0, 1e30, -1e30, 3e38, -3e38, 1e-30, 88, -88, -87.4, 104, -104, 20, -20];

  it.each(kinds)('%s agrees on a dense set', (kind) => {
    const columns = 4001;
    const values = Float32Array.from({ length: 4 * columns }, (_, i) =>
      i < extremes.length ? extremes[i] : (i / (4 * columns) - 0.5) * 40,
    );
    const ups = new Random(5).floats(4 * columns, 0.3);
    const scene = new Scene(setups);
    const gate = scene.matrix(4, columns, values);
    const inPlace = scene.matrix(4, columns, values);
    const up = scene.matrix(4, columns, ups, 1);
    const target = scene.matrix(4, columns);
    const plain = scene.matrix(4, columns);
    expectAgreement(
      scene,
      ({ kernels }) => {
        kernels.activate({ activation: kind, gate, up, rows: 4, columns, target });
        kernels.activate({ activation: kind, gate, rows: 4, columns, target: plain });
        kernels.activate({
          activation: kind,
          gate: inPlace,
          up,
          rows: 4,
          columns,
          target: inPlace,
        });
      },
      4e-7,
    );
  });

  it.each([1, 2, 3, 6, 7])('%i columns', (columns) => {
    const random = new Random(6);
    for (const kind of kinds) {
      const scene = new Scene(setups);
      const gate = scene.matrix(3, columns, random.floats(3 * columns));
      const up = scene.matrix(3, columns, random.floats(3 * columns));
      const target = scene.matrix(3, columns, random.floats(3 * columns));
      expectAgreement(
        scene,
        ({ kernels }) => {
          kernels.activate({ activation: kind, gate, up, rows: 3, columns, target: gate });
          kernels.add(gate, 3, columns, target);
          kernels.softCap(target, 3, columns, 2);
        },
        1e-6,
      );
    }
  });

  it('erf of the reference has the known values', () => {
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14);
    expect(erf(-1)).toBeCloseTo(-0.8427007929497149, 14);
    expect(erf(2)).toBeCloseTo(0.9953222650189527, 14);
    expect(1 - erf(2.6)).toBeCloseTo(2.36034416529349e-4, 14);
    expect(erf(Infinity)).toBe(1);
  });
});

describe('tanh, erf and the exponential', () => {
  /** The largest absolute error of a function of WebAssembly over a dense set. */
  function worst(
    setup: ForwardSetup,
    values: Float32Array,
    run: (setup: ForwardSetup, scene: Scene, at: number) => void,
    expected: (x: number) => number,
  ): number {
    const scene = new Scene([setup]);
    const at = scene.put(values);
    run(setup, scene, at);
    const actual = new Float32Array(setup.memory.buffer, at, values.length);
    return values.reduce((most, x, i) => Math.max(most, Math.abs(actual[i] - expected(x))), 0);
  }

  const dense = Float32Array.from({ length: 400_000 }, (_, i) => (i - 200_000) / 20_000);

  it('tanh stays within 2e-7', () => {
    for (const setup of setups.slice(1)) {
      const cap: Parameters<typeof worst>[2] = ({ kernels }, _, at) =>
        kernels.softCap({ at, stride: dense.length }, 1, dense.length, 1);
      expect(worst(setup, dense, cap, Math.tanh)).toBeLessThan(2e-7);
    }
  });

  it('erf, as gelu has it, stays within 2e-7', () => {
    for (const setup of setups.slice(1)) {
      // gelu(x) / x = ½(1 + erf(x/√2)); below 1 the product is nearer than the quotient.
      const gelu: Parameters<typeof worst>[2] = ({ kernels, memory }, _, at) => {
        const matrix = { at, stride: dense.length };
        kernels.activate({
          activation: 'gelu',
          gate: matrix,
          rows: 1,
          columns: dense.length,
          target: matrix,
        });
        const values = new Float32Array(memory.buffer, at, dense.length);
        dense.forEach((x, i) => (values[i] /= Math.max(1, Math.abs(x))));
      };
      const expected = (x: number) =>
        (0.5 * x * (1 + erf(x / Math.SQRT2))) / Math.max(1, Math.abs(x));
      expect(worst(setup, dense, gelu, expected)).toBeLessThan(1.5e-7);
    }
  });

  it('exp is within 2 ulp, in the sum of a single column', () => {
    // One logit beside a larger one: the sum less 1 would round, so a row of one column after the max.
    for (const { kernels, memory } of setups.slice(1)) {
      const scene = new Scene([{ name: '', kernels, memory }]);
      const rows = 20_000;
      const logits = Float32Array.from({ length: rows }, (_, i) => -i * 0.0043);
      const sums = new Float64Array(rows * 8);
      const at = scene.put(logits);
      const targets = scene.put(new Int32Array(rows).fill(-1));
      // The max is 0 already and the sum empty.
      const sumsAt = scene.put(sums);
      kernels.score({
        logits: { at, stride: 1 },
        rows,
        columns: 1,
        firstToken: 1,
        targets,
        sums: sumsAt,
      });
      const result = new Float64Array(memory.buffer, sumsAt, rows * 8);
      let most = 0;
      logits.forEach((x, i) => {
        const exact = Math.exp(x);
        const ulp = 2 ** (Math.floor(Math.log2(exact)) - 23);
        most = Math.max(most, Math.abs(result[i * 8 + 1] - exact) / ulp);
      });
      expect(most).toBeLessThan(2);
    }
  });
});
