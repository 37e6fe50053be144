import type { TaskMachine } from '../../compute/taskMachine.js';
import {
  GRAM_SCRATCH_BYTES,
  LARGEST_BAND,
  PANEL,
  type Run,
  type SquareMatrix,
} from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { InputStatistics } from '../types.js';
import type { GramApi, PlacedStatistics } from './tasks.js';

/** Bytes that statistics of so many inputs take. */
export function statisticsBytes(inputs: number): number {
  return inputs * 16;
}

/** Where the parts of statistics lie. */
export function placeStatistics(at: number, inputs: number): PlacedStatistics {
  return { sumAbs: at, min: at + inputs * 8, max: at + inputs * 12 };
}

/** Runs of rows or columns for the tasks of a machine: some for each thread. Results do not depend on them. */
export function bandsOf({ threads }: Pick<TaskMachine, 'threads'>, end: number, first = 0): Run[] {
  const wanted = Math.ceil((end - first) / (4 * threads * PANEL)) * PANEL;
  const size = Math.max(PANEL, Math.min(LARGEST_BAND, wanted));
  return Array.from({ length: Math.ceil((end - first) / size) }, (_, i) => ({
    first: first + i * size,
    end: Math.min(first + (i + 1) * size, end),
  }));
}

const ignore = () => undefined;

/** Sets a gram to 0. */
export async function clearGram(
  machine: TaskMachine,
  gram: SquareMatrix,
  { signal }: CallOptions = {},
): Promise<void> {
  const tasks = bandsOf(machine, gram.order).map((band) => ({ gram, band, scratchBytes: 0 }));
  await machine.tasks<GramApi>().run('clearGram', tasks, ignore, signal);
}

/**
 * Adds Σxᵀx over rows of inputs to a gram, on and above its diagonal: {@link mirrorGram} does the rest once all
 * rows are there. Products are f32, added up in f32 over at most 256 rows, then in f64.
 * @param inputs f32 [rows × order of the gram]
 */
export async function addGram(
  machine: TaskMachine,
  gram: SquareMatrix,
  inputs: Matrix,
  rows: number,
  { signal }: CallOptions = {},
): Promise<void> {
  const tasks = bandsOf(machine, gram.order).map((band) => ({
    gram,
    inputs,
    rows,
    band,
    scratchBytes: GRAM_SCRATCH_BYTES,
  }));
  await machine.tasks<GramApi>().run('addGram', tasks, ignore, signal);
}

/** Makes a gram symmetric, from what is on and above its diagonal. */
export async function mirrorGram(
  machine: TaskMachine,
  gram: SquareMatrix,
  { signal }: CallOptions = {},
): Promise<void> {
  const tasks = bandsOf(machine, gram.order).map((band) => ({ gram, band, scratchBytes: 0 }));
  await machine.tasks<GramApi>().run('mirrorGram', tasks, ignore, signal);
}

/**
 * Sets a gram to Σxᵀx over rows of inputs.
 * @param observe hands all rows to what it is given, some at a time
 */
export async function sumGram(
  machine: TaskMachine,
  gram: SquareMatrix,
  observe: (add: (inputs: Matrix, rows: number) => Promise<void>) => Promise<void>,
  call: CallOptions = {},
): Promise<void> {
  await clearGram(machine, gram, call);
  await observe((inputs, rows) => addGram(machine, gram, inputs, rows, call));
  await mirrorGram(machine, gram, call);
}

/** Rows of inputs, and where sums over them lie. */
export interface StatisticsSource {
  readonly inputs: Matrix;
  readonly rows: number;
  /** Inputs of a row. */
  readonly columns: number;
  readonly placed: PlacedStatistics;
}

async function runStatistics(
  machine: TaskMachine,
  method: 'clearStatistics' | 'addStatistics',
  { placed, inputs, rows, columns }: StatisticsSource,
  { signal }: CallOptions,
): Promise<void> {
  const tasks = bandsOf(machine, columns).map((run) => ({
    ...placed,
    inputs,
    rows,
    columns: run,
    scratchBytes: 0,
  }));
  await machine.tasks<GramApi>().run(method, tasks, ignore, signal);
}

/** Starts statistics anew. */
export function clearStatistics(
  machine: TaskMachine,
  source: StatisticsSource,
  call: CallOptions = {},
): Promise<void> {
  return runStatistics(machine, 'clearStatistics', source, call);
}

/** Takes rows into statistics. */
export function addStatistics(
  machine: TaskMachine,
  source: StatisticsSource,
  call: CallOptions = {},
): Promise<void> {
  return runStatistics(machine, 'addStatistics', source, call);
}

/** Statistics over so many rows, at least one. */
export async function readStatistics(
  machine: TaskMachine,
  { placed, inputs, rows, columns }: StatisticsSource,
  { signal }: CallOptions = {},
): Promise<InputStatistics> {
  const task = {
    ...placed,
    inputs,
    rows,
    columns: { first: 0, end: columns },
    scratchBytes: 0,
  };
  let sums: Float64Array = new Float64Array(0);
  await machine.tasks<GramApi>().run('readSums', [task], (result) => void (sums = result), signal);
  const min = (await machine.readFloats(placed.min, columns)).slice();
  const max = (await machine.readFloats(placed.max, columns)).slice();
  return {
    meanAbs: Float32Array.from(sums, (sum) => sum / rows),
    maxAbs: Float32Array.from(min, (low, i) => Math.max(-low, max[i])),
    min,
    max,
  };
}
