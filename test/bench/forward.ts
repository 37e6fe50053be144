// The inner loops of a forward pass: the matrix product against plain JavaScript and C, attention
// against the product, and the element-wise loops. One thread; processor time, the fastest of
// some repetitions.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Activation, Matrix } from '../../src/kernels/forwardKernels.js';
import { countPackedWeightBytes, SCORE } from '../../src/kernels/forwardKernels.js';
import { FIRST_FREE, wasmForward, type ForwardSetup } from '../support/forwardKernels.js';
import { plainMultiply } from './plainMultiply.js';

const MEMORY = 128 << 20;
const REPETITIONS = 7;

/** Compilers' flags: vectors of 128 bits as WebAssembly has them, and whatever the machine can do. */
const C_BUILDS = {
  'C 128-bit': [
    ...['-mavx2', '-mprefer-vector-width=128'],
    ...['-DVECTOR=16', '-DPANEL=8', '-DTILE=5'],
  ],
  'C native': ['-march=native', '-DVECTOR=64', '-DPANEL=32', '-DTILE=6'],
};

export interface ForwardRow {
  readonly name: string;
  readonly build: string;
  readonly gigaflops?: number;
  readonly gigaElements?: number;
  readonly timesJavaScript?: number;
  /** Of the C loop limited to 128-bit vectors, and of the unlimited one. */
  readonly timesC128?: number;
  readonly timesC?: number;
  /** Of the rate of the matrix product of the same build. */
  readonly ofProduct?: number;
}

/**
 * Seconds of processor time of the fastest of some repetitions: what else the machine does falls on
 * single ones. Calls that take little are repeated until the clock's steps do not matter.
 */
export function bestSeconds(call: () => void, repetitions = REPETITIONS): number {
  const seconds = (calls: number) => {
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < calls; i++) call();
    const after = process.cpuUsage();
    return (after.user - user + after.system - system) / 1e6;
  };
  seconds(2);
  const calls = Math.max(1, Math.min(10_000, Math.ceil(0.06 / (seconds(3) + 1e-6))));
  return Math.min(...Array.from({ length: repetitions }, () => seconds(calls) / calls));
}

/** The numbers that forward.c makes. */
export function generator(): (length: number) => Float32Array {
  let state = 1;
  return (length) =>
    Float32Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32 - 0.5;
    });
}

type Programs = ReadonlyMap<string, string>;

/** Compiles the C loops; none where there is no gcc. */
function compilePrograms(root: string, folder: string): Programs {
  if (spawnSync('gcc', ['--version']).status !== 0) return new Map();
  return new Map(
    Object.entries(C_BUILDS).map(([name, flags], i) => {
      const program = join(folder, `forward${i}`);
      const source = join(root, 'test/bench/forward.c');
      execFileSync('gcc', ['-O3', '-funroll-loops', ...flags, '-o', program, source, '-lm']);
      return [name, program];
    }),
  );
}

function sumOfSizes(values: Float32Array): number {
  return values.reduce((sum, v) => sum + Math.abs(v), 0);
}

/** One shape of the product in all builds, checked to be the same sums. */
function productRows(
  setups: readonly ForwardSetup[],
  programs: Programs,
  rows: number,
  outputs: number,
  inputs: number,
): ForwardRow[] {
  const floats = generator();
  const [x, w] = [floats(rows * inputs), floats(outputs * inputs)];
  const y = new Float32Array(rows * outputs);
  const expect = (name: string, sum: number, expected: number) => {
    if (Math.abs(sum / expected - 1) > 1e-5) throw new Error(`${name}: ${sum} ≠ ${expected}`);
  };
  plainMultiply(x, w, y, rows, outputs, inputs);
  const expected = sumOfSizes(y);
  const javaScript = bestSeconds(() => plainMultiply(x, w, y, rows, outputs, inputs), 3);
  const c = [...programs].map(([name, program]) => {
    const shape = [rows, outputs, inputs, REPETITIONS].map(String);
    const line = execFileSync(program, shape, { encoding: 'utf8' });
    const [seconds, sum] = line.split(' ').map(Number);
    expect(name, sum, expected);
    return seconds;
  });
  return setups.map(({ name, kernels, memory }) => {
    const source = { at: FIRST_FREE, stride: inputs };
    const weights = { at: source.at + x.byteLength, stride: inputs };
    const output = { at: weights.at + w.byteLength, stride: outputs };
    const packed = output.at + y.byteLength;
    const panels = packed + kernels.packedInputBytes(rows, inputs);
    new Float32Array(memory.buffer, source.at).set(x);
    new Float32Array(memory.buffer, weights.at).set(w);
    kernels.packInputs(source, rows, inputs, packed);
    kernels.packRows(weights, outputs, inputs, panels);
    const multiply = () =>
      kernels.multiply({
        packedInputs: packed,
        packedWeights: panels,
        bias: 0,
        output,
        rows,
        outputs,
        inputs,
        accumulate: false,
      });
    const seconds = bestSeconds(multiply);
    expect(name, sumOfSizes(new Float32Array(memory.buffer, output.at, y.length)), expected);
    return {
      name: `product ${rows} × ${outputs} × ${inputs}`,
      build: name,
      gigaflops: (2 * rows * outputs * inputs) / seconds / 1e9,
      timesJavaScript: javaScript / seconds,
      timesC128: c[0] && c[0] / seconds,
      timesC: c[1] && c[1] / seconds,
    };
  });
}

function attentionRow(
  { name, kernels, memory }: ForwardSetup,
  product: number,
  rows: number,
  headSize: number,
  window: number,
): ForwardRow {
  const shape = { rows, headSize, scale: headSize ** -0.5, window, softCap: 0 };
  const queries = { at: FIRST_FREE, stride: headSize };
  const keys = queries.at + rows * headSize * 4;
  const values = keys + countPackedWeightBytes(rows, headSize);
  const output = { at: values + countPackedWeightBytes(headSize, rows), stride: headSize };
  const scratch = output.at + rows * headSize * 4;
  new Float32Array(memory.buffer, queries.at, rows * headSize * 4).set(
    generator()(rows * headSize * 3),
  );
  const seconds = bestSeconds(() =>
    kernels.attend({ queries, packedKeys: keys, packedValues: values, shape, output, scratch }),
  );
  let seen = 0;
  for (let row = 0; row < rows; row++) seen += window ? Math.min(row + 1, window) : row + 1;
  const gigaflops = (4 * headSize * seen) / seconds / 1e9;
  const limits = window ? `, window ${window}` : '';
  return {
    name: `attention ${rows} × ${headSize}${limits}`,
    build: name,
    gigaflops,
    ofProduct: gigaflops / product,
  };
}

function elementRows({ name, kernels, memory }: ForwardSetup): ForwardRow[] {
  const [rows, columns] = [32, 2048];
  const bytes = rows * columns * 4;
  const matrix = (i: number): Matrix => ({ at: FIRST_FREE + i * bytes, stride: columns });
  const [a, b, target] = [matrix(0), matrix(1), matrix(2)];
  const vector = matrix(3).at;
  const sums = matrix(4).at;
  const floats = generator();
  for (const { at } of [a, b]) {
    const values = floats(rows * columns).map((v) => v * 8);
    new Float32Array(memory.buffer, at, rows * columns).set(values);
  }
  new Float32Array(memory.buffer, vector, columns).fill(1);
  const activate = (activation: Activation) => () =>
    kernels.activate({ activation, gate: a, up: b, rows, columns, target });
  const fresh = () => {
    const values = new Float64Array(memory.buffer, sums, rows * SCORE.length).fill(0);
    for (let row = 0; row < rows; row++) values[row * SCORE.length] = -Infinity;
  };
  const targets = sums + rows * SCORE.length * 8;
  const calls: Record<string, () => void> = {
    'silu · up': activate('silu'),
    'gelu · up': activate('gelu'),
    'gelu-tanh · up': activate('gelu-tanh'),
    'RMS norm': () =>
      kernels.rmsNorm({
        source: a,
        rows,
        columns,
        weight: vector,
        weightOffset: 0,
        epsilon: 1e-5,
        target,
      }),
    'layer norm': () =>
      kernels.layerNorm({
        source: a,
        rows,
        columns,
        weight: vector,
        bias: vector,
        epsilon: 1e-5,
        target,
      }),
    rotation: () =>
      kernels.rotate({
        values: b,
        rows,
        heads: 32,
        headStride: 64,
        dims: 64,
        interleaved: false,
        cos: vector,
        sin: vector,
      }),
    'score (max, Σ exp)': () => {
      fresh();
      kernels.score({ logits: a, rows, columns, firstToken: 0, targets, sums });
    },
    divergence: () => kernels.diverge({ base: a, logits: b, rows, columns, baseSums: sums, sums }),
  };
  return Object.entries(calls).map(([call, run]) => ({
    name: call,
    build: name,
    gigaElements: (rows * columns) / bestSeconds(run, 15) / 1e9,
  }));
}

/** Measures everything; the programs are compiled in a folder that is removed afterwards. */
export async function forwardRows(root: string): Promise<ForwardRow[]> {
  const setups = await wasmForward(MEMORY);
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-bench-'));
  try {
    const programs = compilePrograms(root, folder);
    const products = [
      [128, 2048, 2048],
      [256, 2048, 2048],
      [256, 5632, 2048],
      [256, 2048, 5632],
      [256, 288, 288],
    ].flatMap(([m, n, k]) => productRows(setups, programs, m, n, k));
    const others = setups.flatMap((setup) => {
      const own = products.filter(({ build }) => build === setup.name);
      const product = Math.max(...own.map(({ gigaflops }) => gigaflops ?? 0));
      const attention = [
        [512, 64, 0],
        [2048, 64, 0],
        [1024, 128, 0],
        [2048, 64, 512],
        [256, 48, 0],
      ].map(([rows, size, window]) => attentionRow(setup, product, rows, size, window));
      return [...attention, ...elementRows(setup)];
    });
    return [...products, ...others];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints the table of {@link forwardRows}. */
export function printForward(rows: readonly ForwardRow[]): void {
  const number = (value: number | undefined) =>
    (value === undefined ? '–' : value.toFixed(2)).padStart(10);
  console.log(
    '\nforward pass, one thread'.padEnd(48) +
      '   GFLOP/s G elem./s      × JS × C 128-bit × C native ÷ product',
  );
  for (const row of rows) {
    const columns = [row.gigaflops, row.gigaElements, row.timesJavaScript].map(number);
    const ratios = [row.timesC128, row.timesC, row.ofProduct].map(number);
    console.log(
      row.name.padEnd(34) + row.build.padEnd(17) + columns.join('') + '  ' + ratios.join(' '),
    );
  }
}
