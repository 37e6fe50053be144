// Scores and divergences of logits in WebAssembly against the reference and against definitions.
import { beforeAll, describe, expect, it } from 'vitest';
import { SCORE } from '../../../src/kernels/forwardKernels.js';
import { divergencesOf } from '../../../src/metrics/logitDivergence.js';
import { referenceForward, wasmForward, type ForwardSetup } from '../../support/forwardKernels.js';
import { Random, Scene, SENTINEL } from '../../support/forwardScene.js';

const BYTES = 8 << 20;
let setups: ForwardSetup[] = [];

beforeAll(async () => {
  setups = [referenceForward(BYTES), ...(await wasmForward(BYTES))];
});

/** Sums as they start, [rows × 8] f64. */
function fresh(rows: number): Float64Array {
  const sums = new Float64Array(rows * SCORE.length);
  for (let row = 0; row < rows; row++) sums[row * SCORE.length + SCORE.max] = -Infinity;
  return sums;
}

interface Scored {
  readonly nll: number;
  readonly top: number;
  readonly max: number;
  readonly divergence: number;
  /** KL(this ‖ base). */
  readonly reverse: number;
}

/** Scores logits tile by tile, and where a base is given its divergence; all rows of all setups. */
function scoreTiles(
  logits: readonly Float32Array[],
  targets: readonly number[],
  tile: number,
  {
    base = undefined as readonly Float32Array[] | undefined,
    order = (tiles: number[]) => tiles,
  } = {},
): Scored[][] {
  const rows = logits.length;
  const vocabulary = logits[0].length;
  return setups.map((setup) => {
    const scene = new Scene([setup]);
    const { kernels, memory } = setup;
    const targetsAt = scene.put(Int32Array.from(targets));
    const [sums, baseSums] = [scene.put(fresh(rows)), scene.put(fresh(rows))];
    const matrix = scene.matrix(rows, tile);
    const baseMatrix = scene.matrix(rows, tile);
    const fill = (
      at: { at: number; stride: number },
      from: readonly Float32Array[],
      first: number,
    ) =>
      from.forEach((row, i) => {
        const part = row.subarray(first, first + tile);
        new Float32Array(memory.buffer, at.at + i * at.stride * 4, tile).fill(1e9).set(part);
      });
    const starts = Array.from({ length: Math.ceil(vocabulary / tile) }, (_, i) => i * tile);
    for (const first of order(starts)) {
      const columns = Math.min(tile, vocabulary - first);
      fill(matrix, logits, first);
      kernels.score({ logits: matrix, rows, columns, firstToken: first, targets: targetsAt, sums });
      if (base) {
        fill(baseMatrix, base, first);
        kernels.score({
          logits: baseMatrix,
          rows,
          columns,
          firstToken: first,
          targets: targetsAt,
          sums: baseSums,
        });
        kernels.diverge({ base: baseMatrix, logits: matrix, rows, columns, baseSums, sums });
      }
    }
    const read = (at: number) => new Float64Array(memory.buffer, at, rows * SCORE.length).slice();
    const [own, others] = [read(sums), read(baseSums)];
    const after = new Float32Array(memory.buffer, sums + rows * SCORE.length * 8, 16);
    expect([...after]).toEqual(new Array(16).fill(SENTINEL));
    return logits.map((_, row) => {
      const at = (name: keyof typeof SCORE) => own[row * SCORE.length + SCORE[name]];
      const baseAt = (name: keyof typeof SCORE) => others[row * SCORE.length + SCORE[name]];
      const ownSum = at('max') + Math.log(at('sum'));
      const baseSum = baseAt('max') + Math.log(baseAt('sum'));
      return {
        nll: ownSum - at('target'),
        top: at('top'),
        max: at('max'),
        divergence: base ? at('divergence') / baseAt('sum') + ownSum - baseSum : 0,
        reverse: base ? at('reverse') / at('sum') + baseSum - ownSum : 0,
      };
    });
  });
}

/** log Σ exp(logit) in f64. */
function logSum(logits: Float32Array): number {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  return max + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - max), 0));
}

/** −log softmax(logits)[target] in f64. */
function definition(logits: Float32Array, target: number): number {
  return logSum(logits) - logits[target];
}

describe('score', () => {
  const random = new Random(21);

  it.each([1, 3, 7, 64, 100, 1000, 1024])('tiles of %i columns', (tile) => {
    const logits = Array.from({ length: 5 }, () => random.floats(1511, random.integer(1, 8)));
    const targets = logits.map(() => random.integer(0, 1510));
    for (const scored of scoreTiles(logits, targets, tile)) {
      scored.forEach(({ nll, top }, row) => {
        expect(Math.abs(nll - definition(logits[row], targets[row]))).toBeLessThan(1e-6);
        expect(top).toBe(logits[row].indexOf(Math.max(...logits[row])));
      });
    }
  });

  it('a flat distribution over a large vocabulary, away from zero', () => {
    for (const offset of [-300, 0, 80]) {
      const logits = [random.floats(60_000, 0.5).map((v) => v + offset)];
      for (const [{ nll }] of scoreTiles(logits, [5], 1024)) {
        expect(Math.abs(nll - definition(logits[0], 5))).toBeLessThan(1e-6);
      }
    }
  });

  it('rising and falling tiles, in any order', () => {
    const rising = Float32Array.from({ length: 500 }, (_, i) => i * 0.7);
    const logits = [rising, rising.slice().reverse()];
    for (const order of [(t: number[]) => t, (t: number[]) => [...t].reverse()]) {
      for (const scored of scoreTiles(logits, [470, 20], 48, { order })) {
        scored.forEach(({ nll, top }, row) => {
          const expected = definition(logits[row], [470, 20][row]);
          expect(Math.abs(nll - expected)).toBeLessThan(1e-6 + expected * 1e-9);
          expect(top).toBe([499, 0][row]);
        });
      }
    }
  });

  it('the lowest of equal tokens wins, in a tile and across tiles', () => {
    const logits = new Float32Array(200);
    for (const token of [33, 34, 90, 150]) logits[token] = 2;
    for (const order of [(t: number[]) => t, (t: number[]) => [...t].reverse()]) {
      for (const [{ top }] of scoreTiles([logits], [-1], 32, { order })) expect(top).toBe(33);
    }
  });

  it('masked tokens (−Infinity), whole tiles of them too', () => {
    const logits = random.floats(96);
    logits.fill(-Infinity, 0, 40);
    logits.fill(-Infinity, 64);
    for (const [{ nll, top }] of scoreTiles([logits], [50], 32)) {
      expect(Math.abs(nll - definition(logits, 50))).toBeLessThan(1e-6);
      expect(top).toBe(logits.indexOf(Math.max(...logits)));
    }
    for (const [{ nll }] of scoreTiles([logits], [3], 32)) expect(nll).toBe(Infinity);
  });

  it('values of ±1e30, and NaN that shows', () => {
    const logits = Float32Array.of(-1e30, 1e30, 3, 4, 5);
    for (const [{ nll, top }] of scoreTiles([logits], [1], 4)) {
      expect(nll).toBe(0);
      expect(top).toBe(1);
    }
    for (const [{ nll }] of scoreTiles([Float32Array.of(1, NaN, 2)], [0], 2)) expect(nll).toBeNaN();
  });

  it('a target outside leaves its field as it was', () => {
    for (const setup of setups) {
      const scene = new Scene([setup]);
      const sums = fresh(1);
      sums[SCORE.target] = 7;
      const sumsAt = scene.put(sums);
      const logits = scene.matrix(1, 4, Float32Array.of(1, 2, 3, 4));
      for (const target of [-1, 9, 14]) {
        const at = scene.put(Int32Array.of(target));
        setup.kernels.score({
          logits,
          rows: 1,
          columns: 4,
          firstToken: 10,
          targets: at,
          sums: sumsAt,
        });
      }
      const after = new Float64Array(setup.memory.buffer, sumsAt, SCORE.length);
      expect(after[SCORE.target]).toBe(7);
      setup.kernels.score({
        logits,
        rows: 1,
        columns: 4,
        firstToken: 10,
        targets: scene.put(Int32Array.of(13)),
        sums: sumsAt,
      });
      expect(after[SCORE.target]).toBe(4);
      setup.kernels.score({
        logits,
        rows: 0,
        columns: 4,
        firstToken: 10,
        targets: scene.put(Int32Array.of(10)),
        sums: sumsAt,
      });
      expect(after[SCORE.target]).toBe(4);
    }
  });
});

describe('diverge', () => {
  const random = new Random(22);

  it.each([1, 5, 64, 200, 512])('tiles of %i columns', (tile) => {
    const base = Array.from({ length: 3 }, () => random.floats(700, 3));
    for (const noise of [0, 1e-3, 0.1, 2]) {
      const logits = base.map((row) => row.map((v) => v + noise * random.normal() + 10));
      for (const scored of scoreTiles(logits, [0, 1, 2], tile, { base })) {
        scored.forEach(({ divergence, reverse }, row) => {
          const expected = divergencesOf(base[row], logits[row]);
          expect(Math.abs(divergence - expected.forward)).toBeLessThan(1e-6);
          expect(Math.abs(reverse - expected.reverse)).toBeLessThan(1e-6);
        });
      }
    }
  });

  it('rising and falling bases', () => {
    const rising = Float32Array.from({ length: 300 }, (_, i) => i * 0.9);
    const base = [rising, rising.slice().reverse()];
    const logits = base.map((row) => row.map((v) => v * 0.8 + random.normal()));
    for (const scored of scoreTiles(logits, [0, 1], 32, { base })) {
      scored.forEach(({ divergence, reverse }, row) => {
        const expected = divergencesOf(base[row], logits[row]);
        const near = 1e-6 * (1 + expected.forward);
        expect(Math.abs(divergence - expected.forward)).toBeLessThan(near);
        expect(Math.abs(reverse - expected.reverse)).toBeLessThan(1e-6 * (1 + expected.reverse));
      });
    }
  });

  it('tokens that the base, the other or both exclude', () => {
    const base = random.floats(75);
    base.fill(-Infinity, 10, 20).fill(-Infinity, 0, 4);
    const logits = base.map((v) => (v === -Infinity ? 1 : v + 0.1));
    logits.fill(-Infinity, 15, 20);
    for (const [{ divergence, reverse }] of scoreTiles([logits], [30], 10, { base: [base] })) {
      expect(Math.abs(divergence - divergencesOf(base, logits).forward)).toBeLessThan(1e-6);
      // The base excludes tokens that the other does not.
      expect(reverse).toBe(Infinity);
    }
    for (const [{ reverse }] of scoreTiles([base], [30], 10, { base: [logits] })) {
      expect(Math.abs(reverse - divergencesOf(logits, base).reverse)).toBeLessThan(1e-6);
    }
    logits[40] = -Infinity;
    for (const [{ divergence }] of scoreTiles([logits], [30], 10, { base: [base] })) {
      expect(divergence).toBe(Infinity);
    }
  });
});
