// Attention in WebAssembly against the reference, mask by mask.
import { beforeAll, describe, expect, it } from 'vitest';
import {
  countPackedWeightBytes,
  type AttentionShape,
} from '../../../src/kernels/forwardKernels.js';
import { referenceForward, wasmForward, type ForwardSetup } from '../../support/forwardKernels.js';
import { expectAgreement, Random, Scene, type PrivateArea } from '../../support/forwardScene.js';

const BYTES = 6 << 20;
let setups: ForwardSetup[] = [];

beforeAll(async () => {
  setups = [referenceForward(BYTES), ...(await wasmForward(BYTES))];
});

interface Attention {
  readonly scene: Scene;
  readonly areas: readonly PrivateArea[];
  readonly run: (setup: ForwardSetup) => void;
  readonly output: { at: number; stride: number };
}

function attention(
  random: Random,
  shape: AttentionShape,
  { inPlace = false, scale = 1, keys = random.floats(shape.rows * shape.headSize, scale) } = {},
): Attention {
  const { rows, headSize } = shape;
  const scene = new Scene(setups);
  const count = rows * headSize;
  const queries = scene.matrix(rows, headSize, random.floats(count, scale), 5);
  const keyRows = scene.matrix(rows, headSize, keys);
  const valueRows = scene.matrix(rows, headSize, random.floats(count));
  const packedKeys = scene.reserve(countPackedWeightBytes(rows, headSize));
  const packedValues = scene.reserve(countPackedWeightBytes(headSize, rows));
  const output = inPlace ? queries : scene.matrix(rows, headSize);
  const bytes = ({ kernels }: ForwardSetup) => kernels.attentionScratchBytes(shape);
  const scratch = scene.reserve(Math.max(...setups.map(bytes)));
  return {
    scene,
    areas: [{ at: scratch, bytes }],
    output,
    run: ({ kernels }) => {
      kernels.packRows(keyRows, rows, headSize, packedKeys);
      kernels.packColumns(valueRows, headSize, rows, packedValues);
      kernels.attend({ queries, packedKeys, packedValues, shape, output, scratch });
    },
  };
}

const plain = { scale: 0.3, window: 0, softCap: 0 };

describe('attend', () => {
  const random = new Random(11);

  it.each([1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 36, 63, 65, 100])('%i positions', (rows) => {
    for (const headSize of [1, 4, 7, 8, 16]) {
      const { scene, run, areas } = attention(random, { ...plain, rows, headSize });
      expectAgreement(scene, run, 2e-6, areas);
    }
  });

  it.each([20, 24, 64, 80, 96, 128, 256])('heads of %i', (headSize) => {
    const shape = { ...plain, rows: 77, headSize, scale: headSize ** -0.5 };
    const { scene, run, areas } = attention(random, shape);
    expectAgreement(scene, run, 5e-6, areas);
  });

  it.each([1, 2, 3, 4, 5, 8, 9, 12, 31, 32, 33, 40, 64, 99, 100, 101, 1000])(
    'a window of %i positions',
    (window) => {
      for (const rows of [1, 37, 100]) {
        const { scene, run, areas } = attention(random, { ...plain, rows, headSize: 12, window });
        expectAgreement(scene, run, 2e-6, areas);
      }
    },
  );

  it('several slices of keys', () => {
    for (const window of [0, 530, 700]) {
      const shape = { ...plain, rows: 1100, headSize: 8, window };
      const { scene, run, areas } = attention(random, shape);
      expectAgreement(scene, run, 5e-6, areas);
    }
  });

  it('soft cap, output over the queries', () => {
    for (const window of [0, 5]) {
      const shape = { scale: 1.5, window, softCap: 4, rows: 50, headSize: 10 };
      const { scene, run, areas } = attention(random, shape, { inPlace: true });
      expectAgreement(scene, run, 5e-6, areas);
    }
  });

  it('scores far apart', () => {
    const shape = { ...plain, scale: 1, rows: 40, headSize: 8 };
    const { scene, run, areas } = attention(random, shape, { scale: 40 });
    expectAgreement(scene, run, 1e-3, areas);
  });

  it('a position that must not be seen has no part, however large its score', () => {
    const [rows, headSize, window] = [48, 8, 6];
    const queries = new Float32Array(rows * headSize).fill(1);
    for (let loud = 0; loud < rows; loud++) {
      const keys = new Float32Array(rows * headSize).fill(0, 0).fill(50, loud * 8, loud * 8 + 8);
      const values = Float32Array.from(keys, (_, i) => (Math.floor(i / 8) === loud ? 1 : 0));
      for (const setup of setups) {
        const scene = new Scene([setup]);
        const packedKeys = scene.reserve(countPackedWeightBytes(rows, headSize));
        const packedValues = scene.reserve(countPackedWeightBytes(headSize, rows));
        const shape = { rows, headSize, scale: 1, window, softCap: 0 };
        const scratch = scene.reserve(setup.kernels.attentionScratchBytes(shape));
        const output = scene.matrix(rows, headSize, queries);
        setup.kernels.packRows(scene.matrix(rows, headSize, keys), rows, headSize, packedKeys);
        setup.kernels.packColumns(
          scene.matrix(rows, headSize, values),
          headSize,
          rows,
          packedValues,
        );
        setup.kernels.attend({ queries: output, packedKeys, packedValues, shape, output, scratch });
        const seen = Array.from({ length: rows }, (_, row) => loud <= row && row < loud + window);
        const first = scene.read(setup, output, rows, headSize).filter((_, i) => i % 8 === 0);
        expect([...first].map((v) => v === 1)).toEqual(seen);
        expect([...first].every((v) => v === 0 || v === 1)).toBe(true);
      }
    }
  });

  it('no positions: nothing happens', () => {
    const { scene, run, areas } = attention(random, { ...plain, rows: 0, headSize: 8 });
    expectAgreement(scene, run, 0, areas);
  });
});
