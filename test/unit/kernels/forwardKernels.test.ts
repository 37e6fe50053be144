// The loops of a forward pass in WebAssembly, both builds, against the reference: results, and that
// nothing beside them is written.
import { beforeAll, describe, expect, it } from 'vitest';
import { exmyFormat } from '../../../src/formats/entries/floats.js';
import { ACTIVATION_CATALOGUE } from '../../../src/formats/index.js';
import {
  countPackedWeightBytes,
  scaleOfRange,
  type Activation,
} from '../../../src/kernels/forwardKernels.js';
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
    for (const setup of setups.slice(1)) {
      const { kernels, memory } = setup;
      const scene = new Scene([setup]);
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

describe('rounding of rows', () => {
  const formats = ACTIVATION_CATALOGUE.map(({ name, levels, scaling }) => ({
    name,
    levels,
    scale: scaling !== 'token' ? scaleOfRange(2.5, levels) : undefined,
  }));
  const away = { ...exmyFormat(3, 2), ties: 'away' as const };
  const cases = [...formats, { name: 'ties away', levels: away, scale: 0.25 }];
  const extremes = [0, -0, 1e-45, -1e-40, 1e-30, 3e38, -3e38, 1, -1, 2.5, -2.5, 0.125, 0.375];

  it.each(cases)('$name: the same bits on any rows', ({ levels, scale }) => {
    const random = new Random(8);
    for (const columns of [1, 2, 3, 4, 5, 7, 64, 131]) {
      const scene = new Scene(setups);
      const rows = 9;
      const values = random.floats(rows * columns);
      // A row of zeros, small and subnormal rows, rows of extremes, halves of steps.
      values.fill(-0, 0, columns);
      for (let i = 0; i < columns; i++) {
        values[columns + i] *= 1e-42;
        values[2 * columns + i] *= 1e-30;
        values[3 * columns + i] = extremes[(i * 5) % extremes.length];
        values[4 * columns + i] = (i - columns / 2) * 0.5 * (scale ?? 1);
        values[5 * columns + i] *= 1e38;
      }
      const source = scene.matrix(rows, columns, values);
      const inPlace = scene.matrix(rows, columns, values);
      const target = scene.matrix(rows, columns, undefined, 0);
      expectSameBits(scene, ({ kernels }) => {
        const task = { rows, columns, levels, scale };
        kernels.roundRows({ ...task, source, target });
        kernels.roundRows({ ...task, source: inPlace, target: inPlace });
      });
    }
  });

  it.each(cases)('$name: the same bits with a scale for each column', ({ levels }) => {
    const random = new Random(9);
    for (const columns of [1, 3, 4, 6, 64, 131]) {
      const scene = new Scene(setups);
      const scales = random.floats(columns).map(Math.abs);
      scales[columns >> 1] = 0;
      const values = random.floats(5 * columns, 20);
      values[0] = NaN;
      values[columns] = -Infinity;
      const source = scene.matrix(5, columns, values);
      const target = scene.matrix(5, columns, undefined, 0);
      const { at: channelScales } = scene.matrix(1, columns, scales, 0);
      const read = (): Float32Array => scene.read(setups[0], target, 5, columns);
      expectSameBits(scene, ({ kernels }) =>
        kernels.roundRows({ source, target, rows: 5, columns, levels, channelScales }),
      );
      const byColumns = read().slice();
      // Column by column with one scale each.
      for (let i = 0; i < columns; i++) {
        setups[0].kernels.roundRows({
          source: { at: source.at + i * 4, stride: source.stride },
          target: { at: target.at + i * 4, stride: target.stride },
          ...{ rows: 5, columns: 1, levels, scale: scales[i] },
        });
      }
      expect(byColumns).toEqual(read());
    }
  });

  it('shows values that are not finite', () => {
    const { levels } = ACTIVATION_CATALOGUE[0];
    const rows = [
      [1, NaN, 2, 3, 4],
      [1, 2, 3, 4, -Infinity],
      [1, 2, 3, 4, 127],
    ];
    const read = (scale: number | undefined) => {
      const scene = new Scene(setups);
      const source = scene.matrix(3, 5, Float32Array.from(rows.flat()));
      expectSameBits(scene, ({ kernels }) =>
        kernels.roundRows({ source, target: source, rows: 3, columns: 5, levels, scale }),
      );
      const values = [...scene.read(setups[0], source, 3, 5)];
      return [0, 5, 10].map((first) => values.slice(first, first + 5));
    };
    const nothing = new Array<number>(5).fill(NaN);
    expect(read(undefined)).toEqual([nothing, nothing, rows[2]]);
    expect(read(1)).toEqual([rows[0], [1, 2, 3, 4, -127], rows[2]]);
    // Calibration saw nothing but zeros.
    expect(read(0)).toEqual(new Array(3).fill(new Array(5).fill(0)));
  });

  it('is what the formats say', () => {
    const rounded = (name: string, row: readonly number[], scale?: number) => {
      const { levels } = ACTIVATION_CATALOGUE.find((entry) => entry.name === name)!;
      const scene = new Scene(setups.slice(0, 1));
      const columns = row.length;
      const source = scene.matrix(1, columns, Float32Array.from(row));
      const [{ kernels }] = setups;
      kernels.roundRows({ source, target: source, rows: 1, columns, levels, scale });
      return [...scene.read(setups[0], source, 1, columns)];
    };
    expect(rounded('int8-token', [127, 0.5, 1.5, -2.5, 126.4])).toEqual([127, 0, 2, -2, 126]);
    expect(rounded('int4-token', [14, 1, 3, -5, -13.1])).toEqual([14, 0, 4, -4, -14]);
    expect(rounded('int8-static', [300, -300, 3.5], 2)).toEqual([254, -254, 4]);
    // E4M3 without NaN codes: 480, 448, …; steps of 2^−9 at the bottom.
    expect(rounded('fp8-token', [480, 463, 465, 2 ** -9, 2 ** -10])).toEqual([
      480,
      448,
      480,
      2 ** -9,
      0,
    ]);
    // E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6, halfway to the lower level.
    expect(rounded('fp4-token', [6, 5, -5, 2.6, 0.2])).toEqual([6, 4, -6, 3, 0]);
  });
});

/** Runs a call in all setups: everything is the same to the bit. */
function expectSameBits(scene: Scene, call: (setup: ForwardSetup) => void): void {
  const bits = scene.setups.map((setup) => {
    call(setup);
    return scene.snapshot(setup);
  });
  for (const other of bits.slice(1)) expect(other).toEqual(bits[0]);
}
