// npm run bench: kernel speeds as ratios in one run, against plain loops in JavaScript and in C.
// Prints a table and writes out/bench.json. One thread unless said; medians of short repetitions.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFormat } from '../../src/formats/index.js';
import { createWasmKernels, loadWeights } from '../support/kernels.js';
import { calibrationRows, printCalibration } from './calibration.js';
import { decodingRows, printDecoding } from './decoding.js';
import { evaluations } from './evaluations.js';
import { forwardRows, printForward } from './forward.js';
import { gpuForwardRows, printGpuForward } from './gpuForward.js';
import { gpuTogetherRow, printGpuTogether } from './gpuTogether.js';
import { gpuQuantizeRows, printGpuQuantize } from './gpuQuantize.js';
import * as plain from './plainLoops.js';
import { wholeJobs } from './wholeJobs.js';

const N = 262144;
const GROUP = 128;
const REPETITIONS = 61;

/** The same weights as baseline.c makes. */
function weights(): Float32Array {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from(
    { length: N },
    () => (uniform() + uniform() + uniform() + uniform() - 2) * 0.035,
  );
}

/** Median seconds of a call, after as many warm-up calls. */
function medianSeconds(call: () => void, repetitions = REPETITIONS): number {
  for (let i = 0; i < repetitions; i++) call();
  const times = Array.from({ length: repetitions }, () => {
    const begin = performance.now();
    call();
    return (performance.now() - begin) / 1000;
  });
  return times.sort((a, b) => a - b)[repetitions >> 1];
}

/** Medians of the C loops by name, and their error sums; empty where there is no gcc. */
function runBaseline(): Map<string, { seconds: number; error: number }> {
  const results = new Map<string, { seconds: number; error: number }>();
  if (spawnSync('gcc', ['--version']).status !== 0) return results;
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-bench-'));
  try {
    const program = join(folder, 'baseline');
    const source = join(process.argv[2], 'test/bench/baseline.c');
    execFileSync('gcc', ['-O3', '-march=native', '-o', program, source, '-lm']);
    const output = execFileSync(program, [String(REPETITIONS)], { encoding: 'utf8' });
    for (const line of output.trim().split('\n')) {
      const [name, , median, error] = line.split(' ');
      results.set(name, { seconds: Number(median), error: Number(error) });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

/** Bytes per second that a copy of 64 MB reaches: what memory allows. */
function memoryBandwidth(): number {
  const source = new Float64Array(1 << 23).fill(1);
  const target = new Float64Array(1 << 23);
  return (2 * source.byteLength) / medianSeconds(() => target.set(source), 9);
}

interface Row {
  readonly name: string;
  readonly gigabytesPerSecond: number;
  readonly timesJavaScript?: number;
  readonly timesC?: number;
  readonly shareOfBandwidth: number;
}

async function kernelRows(): Promise<Row[]> {
  const kernels = await createWasmKernels(N, join(process.argv[2], 'dist/kernels.wasm'));
  const x = weights();
  const y = new Float32Array(N);
  loadWeights(kernels, x);
  const shape = { rows: N / 2048, columns: 2048 };
  const c = runBaseline();
  const bandwidth = memoryBandwidth();
  const loops: Record<string, () => plain.PlainSums> = {
    'int4-asym': () => plain.plainIntegers(x, y, GROUP, 15),
    'int8-asym': () => plain.plainIntegers(x, y, GROUP, 255),
    anf4: () => plain.plainGrid(x, y, GROUP),
    'fp4-e2m1': () => plain.plainMinifloat(x, y, GROUP, 1, 0, 6, false, true),
    'afp4-e2m1': () => plain.plainMinifloat(x, y, GROUP, 1, 0, 6, true, true),
    'fp8-e4m3': () => plain.plainMinifloat(x, y, GROUP, 3, -12, 7.5, false, false),
  };
  const row = (name: string, wasm: number, js?: number): Row => ({
    name,
    gigabytesPerSecond: (N * 4) / wasm / 1e9,
    timesJavaScript: js && js / wasm,
    timesC: c.has(name) ? c.get(name)!.seconds / wasm : undefined,
    shareOfBandwidth: (N * 4) / wasm / bandwidth,
  });
  const rows: Row[] = [];
  for (const [name, loop] of Object.entries(loops)) {
    const format = parseFormat(`${name}:g${GROUP}`);
    const quantize = () => kernels.quantize(format, 'f16', shape, { keepOutput: true });
    // What is compared must be the same work: the sums agree, apart from the order of addition.
    const expected = quantize().squaredError;
    for (const error of [loop().error, c.get(name)?.error ?? expected]) {
      if (Math.abs(error / expected - 1) > 1e-9) throw new Error(`${name}: ${error} ≠ ${expected}`);
    }
    rows.push(row(name, medianSeconds(quantize), medianSeconds(loop, 15)));
  }
  const codes = Uint16Array.from({ length: N }, (_, i) => (Math.imul(i, 40503) >>> 1) & 0xffff);
  for (const [name, dtype, loop] of [
    ['decode-bf16', 'BF16', plain.plainDecodeBF16],
    ['decode-f16', 'F16', plain.plainDecodeF16],
  ] as const) {
    kernels.input(dtype, N).set(new Uint8Array(codes.buffer));
    rows.push(
      row(
        name,
        medianSeconds(() => kernels.decode(dtype, N)),
        medianSeconds(() => loop(codes, y), 15),
      ),
    );
  }
  loadWeights(kernels, x);
  for (const name of [
    ...['int4-sym', 'dint4', 'nf4', 'mxfp4', 'nvfp4', 'bnb-nf4'],
    ...['q4_0', 'q8_0', 'q4_k', 'q6_k', 'iq4_xs'],
  ]) {
    const format = parseFormat(name);
    const quantize = () =>
      kernels.quantize(format, 'f16', shape, { tensorRange: { lo: -0.07, hi: 0.07 } });
    rows.push(row(name, medianSeconds(quantize, 15)));
  }
  for (const name of ['int4-asym', 'nf4', 'mxfp4', 'q4_0']) {
    const encode = () => kernels.encode(parseFormat(name), 'f16', shape);
    rows.push(row(`${name} encoded`, medianSeconds(encode, 15)));
  }
  for (const [name, candidates] of [
    ['int4-asym+mse', 80],
    ['int4-asym+clip', 100],
    ['anf4+clip', 100],
  ] as const) {
    const seconds = medianSeconds(() => kernels.quantize(parseFormat(name), 'f16', shape), 5);
    const plainName = name.replace(/\+.*/, '');
    const cost = rows.find((other) => other.name === plainName)!;
    const perCandidate = (seconds * cost.gigabytesPerSecond * 1e9) / (N * 4) / candidates;
    rows.push({
      ...row(name, seconds),
      name: `${name} (${perCandidate.toFixed(2)} × ${candidates} plain)`,
    });
  }
  return rows;
}

function print(rows: readonly Row[]): void {
  const number = (value: number | undefined, digits = 2) =>
    (value === undefined ? '–' : value.toFixed(digits)).padStart(10);
  console.log('one thread, F32, g128'.padEnd(44) + '      GB/s    × JS      × C   of copy');
  for (const { name, gigabytesPerSecond, timesJavaScript, timesC, shareOfBandwidth } of rows) {
    console.log(
      name.padEnd(44) +
        [gigabytesPerSecond, timesJavaScript, timesC, shareOfBandwidth]
          .map((v) => number(v))
          .join(''),
    );
  }
}

/** What decoding is held against: INT4 quantization as a comparison runs it. */
async function makeInt4() {
  const kernels = await createWasmKernels(N, join(process.argv[2], 'dist/kernels.wasm'));
  loadWeights(kernels, weights());
  const format = parseFormat(`int4-asym:g${GROUP}`);
  const shape = { rows: N / 2048, columns: 2048 };
  return { weights: N, quantize: () => kernels.quantize(format, 'f16', shape) };
}

const rows = await kernelRows();
print(rows);
const decoding = await decodingRows(await makeInt4());
printDecoding(decoding);
const forward = await forwardRows(process.argv[2]);
printForward(forward);
/** Formats of all kinds of rules, as one thread computes them. */
const ON_GPU = ['int4-asym', 'anf4', 'fp4-e2m1', 'nf4', 'mxfp4', 'nvfp4', 'bnb-nf4', 'q4_0'];
const gpuQuantize = await gpuQuantizeRows(
  weights(),
  new Map(
    rows
      .filter(({ name }) => ON_GPU.includes(name))
      .map(({ name, gigabytesPerSecond }) => [name, gigabytesPerSecond]),
  ),
);
printGpuQuantize(gpuQuantize);
const gpuTogether = await gpuTogetherRow(process.argv[2]);
printGpuTogether(gpuTogether);
const calibration = await calibrationRows();
printCalibration(calibration);
const gpuForward = await gpuForwardRows();
printGpuForward(gpuForward);
const jobs = await wholeJobs(process.argv[2], process.argv[3]);
const perplexity = await evaluations(process.argv[2], process.argv[3]);
mkdirSync(join(process.argv[2], 'out'), { recursive: true });
const file = join(process.argv[2], 'out/bench.json');
writeFileSync(
  file,
  JSON.stringify(
    {
      rows,
      decoding,
      forward,
      calibration,
      gpuQuantize,
      gpuTogether,
      gpuForward,
      jobs,
      perplexity,
    },
    null,
    2,
  ),
);
console.log(`\n${file}`);
