import { join } from 'node:path';
import { WorkerPool } from '../../src/compute/workerPool.js';
import { parseFormat } from '../../src/formats/index.js';
import { makeNodeHost } from '../../src/host/node/nodeHost.js';
import { selectTensors } from '../../src/jobs/selection.js';
import { countPackedWeightBytes } from '../../src/kernels/forwardKernels.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { listLinears } from '../../src/model/config/plan.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import type { LanguageModel, Variant } from '../../src/model/evaluation/types.js';
import { inFormat } from '../../src/model/evaluation/variants.js';
import { countFlopsFrom, countVariantFlops } from '../../src/model/evaluation/work.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { FIRST_FREE, wasmForward } from '../support/forwardKernels.js';

const EIGHT = ['int4', 'int4-sym', 'fp4', 'afp4', 'nf4', 'anf4', 'dint4', 'mxfp4'];
/** Multiplications and additions of one run of the unquantized model. */
const WORK = 2e11;
const TILE_ROWS = 256;
/**
 * Runs of the whole, and of its products in turn with them, the fastest of each taken: a busy
 * neighbour on the same core halves the speed for seconds.
 */
const RUNS = 5;
const BUDGET = 256 << 20;

export interface EvaluationRow {
  readonly name: string;
  readonly threads: number;
  readonly tokensPerSecond: number;
  /** Processor seconds of the matrix products alone over those of the whole. */
  readonly productShare?: number;
  /** Processor seconds over those of the unquantized model, and what its work alone would explain. */
  readonly timesBaseline?: number;
  readonly timesWork?: number;
  readonly peakRssMB: number;
}

/** Wall and processor seconds of a job. */
async function measured(job: () => Promise<unknown>): Promise<{ wall: number; cpu: number }> {
  const before = process.cpuUsage();
  const begin = performance.now();
  await job();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - begin) / 1000, cpu: (user + system) / 1e6 };
}

/** A model's matrix products alone for so many rows, weights from memory: processor seconds. */
async function productsAlone({ plan }: LanguageModel, rows: number): Promise<() => number> {
  const block = listLinears(plan.blocks[0]);
  const widest = Math.max(...block.map(({ outputs }) => outputs), 512);
  const deepest = Math.max(...block.map(({ inputs }) => inputs));
  const bytes = block.reduce(
    (sum, { outputs, inputs }) => sum + countPackedWeightBytes(outputs, inputs),
    countPackedWeightBytes(plan.head.outputs, plan.head.inputs) +
      TILE_ROWS * (widest + deepest) * 8,
  );
  const [{ kernels }] = await wasmForward(bytes);
  let at = FIRST_FREE;
  const take = (size: number) => {
    const start = at;
    at += Math.ceil(size / 64) * 64;
    return start;
  };
  const inputs = take((TILE_ROWS + 16) * deepest * 4);
  const output = { at: take(TILE_ROWS * widest * 4), stride: widest };
  const places = block.map((linear) => ({
    linear,
    at: take(countPackedWeightBytes(linear.outputs, linear.inputs)),
  }));
  const head = take(countPackedWeightBytes(plan.head.outputs, plan.head.inputs));
  const tile = (count: number) => {
    for (const { linear, at: weights } of places) {
      kernels.multiply({
        packedInputs: inputs,
        packedWeights: weights,
        bias: 0,
        output,
        rows: count,
        outputs: linear.outputs,
        inputs: linear.inputs,
        accumulate: false,
      });
    }
  };
  const score = (count: number) => {
    const { outputs, inputs: size } = plan.head;
    for (let first = 0; first < outputs; first += 512) {
      const columns = Math.min(512, outputs - first);
      kernels.multiply({
        packedInputs: inputs,
        packedWeights: head + first * size * 4,
        bias: 0,
        output,
        rows: count,
        outputs: columns,
        inputs: size,
        accumulate: false,
      });
    }
  };
  const seconds = (run: () => void) => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  tile(TILE_ROWS);
  score(TILE_ROWS);
  return () => {
    let sum = 0;
    for (let done = 0; done < rows; done += TILE_ROWS) {
      const count = Math.min(TILE_ROWS, rows - done);
      sum += seconds(() => tile(count)) * plan.blocks.length + seconds(() => score(count));
    }
    return sum;
  };
}

/** Evaluations of a model on random tokens: how fast, and what many variants cost. */
export async function evaluations(root: string, path?: string): Promise<EvaluationRow[]> {
  const checkpoint = await openLocalModel(path ?? join(root, 'media/sample'));
  const model = await planLanguageModel(checkpoint);
  const { plan } = model;
  const context = Math.min(plan.maxPositions, 512);
  const perRow = countFlopsFrom(0, plan);
  const count = Math.max(2, Math.round(WORK / perRow / context / 2) * 2);
  let state = 1;
  const windows = Array.from({ length: count }, () =>
    Int32Array.from({ length: context }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % plan.vocabularySize;
    }),
  );
  const tokens = count * context;
  const tensors = selectTensors(checkpoint, {}).map(({ name }) => name);
  const whole = EIGHT.map((name): Variant => {
    const format = parseFormat(name);
    return { id: format.id, changes: inFormat(format, tensors) };
  });
  const int4 = parseFormat('int4');
  const single = tensors.map((name): Variant => ({ id: name, changes: inFormat(int4, [name]) }));
  const some = windows.slice(0, 2);

  console.log(`\nperplexity of ${checkpoint.path}: ${count} windows of ${context} tokens`);
  const rows: EvaluationRow[] = [];
  const run = async (
    name: string,
    threads: number,
    of: readonly Int32Array[],
    variants: readonly Variant[],
    more: (cpu: number) => Partial<EvaluationRow>,
    products?: () => number,
  ) => {
    const pool = await WorkerPool.create(makeNodeHost(join(root, 'dist')), { threads });
    const settings = { scaleDtype: 'f16', memoryBudgetBytes: BUDGET } as const;
    // Once for the engine's optimizing tier.
    await evaluate({
      pool,
      model,
      windows: [windows[0].slice(0, 32)],
      variants: variants.slice(0, 1),
      settings,
    });
    let [wall, cpu, alone] = [Infinity, Infinity, Infinity];
    for (let i = 0; i < RUNS; i++) {
      const run = await measured(() => evaluate({ pool, model, windows: of, variants, settings }));
      wall = Math.min(wall, run.wall);
      cpu = Math.min(cpu, run.cpu);
      alone = Math.min(alone, products?.() ?? Infinity);
    }
    await pool.dispose();
    const productShare = products && alone / cpu;
    const tokensPerSecond = (of.length * context * (variants.length + 1)) / wall;
    const peakRssMB = process.resourceUsage().maxRSS / 1024;
    rows.push({ name, threads, tokensPerSecond, productShare, ...more(cpu), peakRssMB });
    const { timesBaseline, timesWork } = rows[rows.length - 1];
    console.log(
      [
        `${name} on ${threads} thread(s): ${tokensPerSecond.toFixed(0)} tokens/s per model`,
        productShare && `products alone ${(100 * productShare).toFixed(0)} %`,
        timesBaseline && `${timesBaseline.toFixed(2)} × unquantized`,
        timesWork && `${timesWork.toFixed(2)} × what the work explains`,
        `${peakRssMB.toFixed(0)} MB`,
      ]
        .filter(Boolean)
        .join(', '),
    );
    return cpu;
  };
  const products = await productsAlone(model, tokens);
  for (const threads of [1, 2]) {
    // Two threads share caches and cores, which products on one thread know nothing of.
    await run(
      'unquantized',
      threads,
      windows,
      [],
      () => ({}),
      threads === 1 ? products : undefined,
    );
  }
  const base = await run('unquantized, two windows', 2, some, [], () => ({}));
  await run('eight formats, two windows', 2, some, whole, (cpu) => ({
    timesBaseline: cpu / base,
    timesWork: cpu / base / (1 + EIGHT.length),
  }));
  const aloneWork =
    1 + single.reduce((sum, variant) => sum + countVariantFlops(variant, plan) / perRow, 0);
  await run('each tensor alone, two windows', 2, some, single, (cpu) => ({
    timesBaseline: cpu / base,
    timesWork: cpu / base / aloneWork,
  }));
  return rows;
}
