import { parseFormat } from '../../formats/index.js';
import { SCORE, type ForwardKernels, type Matrix } from '../../kernels/forwardKernels.js';
import { ReferenceForwardKernels } from '../../kernels/reference/referenceForward.js';
import { instantiateForward, WasmForwardKernels } from '../../kernels/wasm/wasmForward.js';
import type { WeightSums } from '../../kernels/types.js';
import type { Handlers } from '../../rpc/rpc.js';
import type {
  DifferenceOfRowsTask,
  ForwardApi,
  GatherTask,
  PackTask,
  QuadraticFormTask,
  ScaledTask,
  StageApi,
  SumsTask,
} from './tasks.js';
import type { ChunkTask } from '../../compute/tasks.js';
import { countStoredBytes } from '../../storage/elementTypes.js';
import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { clearScores, FinalPass } from './finalPass.js';
import { ForwardPass } from './forwardPass.js';
import { RegionScratch } from './scratch.js';
import { MemoryLayers } from './memoryLayers.js';
import { addNoise } from './weightNoise.js';

/**
 * The methods of the forward pass in a worker.
 * @param module absent: the reference kernels
 */
export async function makeForwardMethods(
  loader: ChunkLoader,
  module: WebAssembly.Module | undefined,
): Promise<Handlers<ForwardApi & StageApi>> {
  const { memory } = loader;
  const kernels: ForwardKernels = module
    ? new WasmForwardKernels(await instantiateForward(module, memory))
    : new ReferenceForwardKernels(memory);
  const layers = new MemoryLayers(kernels, memory);
  const pass = new ForwardPass(layers);
  const final = new FinalPass(layers);
  /** A method that sees the shared memory as it was when its task was sent. */
  const seeing =
    <Task extends { readonly memoryEnd: number }, Result>(
      step: (task: Task) => Result | Promise<Result>,
    ) =>
    async (task: Task): Promise<Result> => {
      loader.ensureVisible(task.memoryEnd);
      return step(task);
    };

  const sumsOf = ({ sums, rows }: SumsTask) =>
    new Float64Array(memory.buffer, sums, rows * SCORE.length);

  return {
    loadBytes: seeing(({ source, offset, bytes, target }) =>
      loader.sources.read(source, offset, new Uint8Array(memory.buffer, target, bytes)),
    ),
    loadVector: seeing(async (task) => {
      const elements = task.chunk.rows * task.chunk.columns;
      const values = (await loader.decode(task)).weights(elements);
      new Float32Array(memory.buffer, task.target, elements).set(values);
    }),
    packWeights: seeing(async (task) => {
      const { rows, columns } = task.chunk;
      const { values, weights } = await loadFormatted(loader, task);
      kernels.packRows({ at: values.byteOffset, stride: columns }, rows, columns, task.target);
      return weights;
    }),
    gatherRows: seeing((task) => gatherRows(loader, task)),
    applyLinear: seeing((task) => pass.applyLinear(task)),
    project: seeing((task) => pass.project(task)),
    attend: seeing((task) => pass.attend(task)),
    finish: seeing((task) => pass.finish(task)),
    siteInputs: seeing((task) => pass.siteInputs(task)),
    addAttention: seeing((task) => pass.addAttention(task)),
    activate: seeing((task) => pass.activate(task)),
    addFeedForward: seeing((task) => pass.addFeedForward(task)),
    expertInputs: seeing((task) => pass.expertInputs(task)),
    loadRows: seeing(async (task) => {
      const { values, weights } = await loadFormatted(loader, task);
      new Float32Array(memory.buffer, task.target, values.length).set(values);
      return weights;
    }),
    packScaled: seeing(async (task) => {
      const { rows, columns } = task.chunk;
      const values = await loadScaled(loader, task);
      kernels.packRows({ at: values.byteOffset, stride: columns }, rows, columns, task.target);
    }),
    loadScaled: seeing(async (task) => {
      const values = await loadScaled(loader, task);
      new Float32Array(memory.buffer, task.target, values.length).set(values);
    }),
    packGram: seeing(({ gram: { at, order }, band: { first, end }, target, region }) => {
      const count = (end - first) * order;
      const rows = new Float32Array(memory.buffer, region.start, count);
      rows.set(new Float64Array(memory.buffer, at + first * order * 8, count));
      const place = target + first * order * 4;
      kernels.packRows({ at: region.start, stride: order }, end - first, order, place);
    }),
    quadraticForm: seeing((task) => sumForms(kernels, memory, task)),
    divideRows: seeing(({ source, target, rows, columns, factors }) => {
      const rowOf = ({ at, stride }: Matrix, row: number) =>
        new Float32Array(memory.buffer, at + row * stride * 4, columns);
      for (let row = 0; row < rows; row++) {
        const from = rowOf(source, row);
        const to = rowOf(target, row);
        for (let column = 0; column < columns; column++)
          to[column] = from[column] / factors[column];
      }
    }),
    squaredDifference: seeing((task) => sumSquaredDifferences(memory, task)),
    applyExperts: seeing((task) => pass.applyExperts(task)),
    finalInputs: seeing((task) => final.finalInputs(task)),
    startScores: seeing((task) => clearScores(sumsOf(task))),
    readScores: seeing((task) => sumsOf(task).slice()),
    score: seeing((task) => final.score(task)),
    logits: seeing((task) => {
      const at = final.logits(task);
      return new Float32Array(memory.buffer, at, task.rows * task.head.outputs).slice();
    }),
  };
}

/** A chunk as a format leaves it, or as it is stored; in the worker's region. */
async function loadFormatted(
  loader: ChunkLoader,
  task: ChunkTask & Pick<PackTask, 'noise' | 'format' | 'scaleDtype'>,
): Promise<{ readonly values: Float32Array; readonly weights: WeightSums }> {
  const { chunk, noise, format, scaleDtype } = task;
  const { kernels, weights } = await loader.load(task);
  const elements = chunk.rows * chunk.columns;
  if (noise) addNoise(kernels.weights(elements), noise);
  if (!format) return { values: kernels.weights(elements), weights };
  const options = { tensorRange: format.tensorRange, keepOutput: true };
  kernels.quantize(parseFormat(format.id), scaleDtype, chunk, options);
  return { values: kernels.output(elements), weights };
}

/** Elements around a row that quantize together with it. */
function quantizedSpan(
  { matrix, format }: GatherTask,
  row: number,
): { readonly first: number; readonly count: number } {
  const first = row * matrix.columns;
  const group = format && parseFormat(format.id).group;
  if (group?.kind !== 'blocks') return { first, count: matrix.columns };
  const start = Math.floor(first / group.size) * group.size;
  const total = matrix.rows * matrix.columns;
  const end = Math.ceil((first + matrix.columns) / group.size) * group.size;
  return { first: start, count: Math.min(end, total) - start };
}

async function gatherRows(loader: ChunkLoader, task: GatherTask): Promise<void> {
  const { matrix, rows, target, scale, add, format, scaleDtype, region } = task;
  const { source, offset, dtype, columns } = matrix;
  for (let i = 0; i < rows.length; i++) {
    const { first, count } = quantizedSpan(task, rows[i]);
    const chunk = {
      source,
      offset: offset + countStoredBytes(dtype, first),
      dtype,
      rows: 1,
      columns: count,
    };
    const noise = task.noise && { ...task.noise, first, columns: count };
    const { values } = await loadFormatted(loader, { chunk, region, noise, format, scaleDtype });
    const at = target.at + i * target.stride * 4;
    const out = new Float32Array(loader.memory.buffer, at, columns);
    const skip = rows[i] * columns - first;
    for (let j = 0; j < columns; j++) {
      const value = Math.fround(values[skip + j] * scale);
      out[j] = add ? out[j] + value : value;
    }
  }
}

/** A chunk of Q(w·s)/s, less w where that is asked for, in the worker's region: each step rounded to f32. */
async function loadScaled(loader: ChunkLoader, task: ScaledTask): Promise<Float32Array> {
  const { chunk, factors, format, scaleDtype, scaleBack, lessStored } = task;
  const { rows, columns } = chunk;
  const elements = rows * columns;
  const { kernels } = await loader.load(task);
  const weights = kernels.weights(elements);
  const stored = lessStored ? weights.slice() : undefined;
  if (factors) {
    for (let at = 0; at < elements; at++) weights[at] *= factors[at % columns];
  }
  let values = weights;
  if (format) {
    const options = { tensorRange: format.tensorRange, keepOutput: true };
    kernels.quantize(parseFormat(format.id), scaleDtype, chunk, options);
    values = kernels.output(elements);
  }
  if (factors && scaleBack) {
    for (let at = 0; at < elements; at++) values[at] /= factors[at % columns];
  }
  if (stored) {
    for (let at = 0; at < elements; at++) values[at] -= stored[at];
  }
  return values;
}

/** Products in f32, their sum in f64. */
function sumForms(
  kernels: ForwardKernels,
  memory: WebAssembly.Memory,
  { matrix, rows, order, products, region }: QuadraticFormTask,
): number {
  const scratch = new RegionScratch(region);
  const packedInputs = scratch.take(kernels.packedInputBytes(rows, order));
  kernels.packInputs(matrix, rows, order, packedInputs);
  const output: Matrix = { at: scratch.floats(rows * order), stride: order };
  const product = { packedInputs, packedWeights: products, bias: 0, output, rows };
  kernels.multiply({ ...product, outputs: order, inputs: order, accumulate: false });
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const d = new Float32Array(memory.buffer, matrix.at + row * matrix.stride * 4, order);
    const g = new Float32Array(memory.buffer, output.at + row * order * 4, order);
    for (let i = 0; i < order; i++) sum += d[i] * g[i];
  }
  return sum;
}

/** In f64, in the order of the rows. */
function sumSquaredDifferences(
  memory: WebAssembly.Memory,
  { one, other, rows, columns }: DifferenceOfRowsTask,
): number {
  const row = ({ at, stride }: Matrix, index: number) =>
    new Float32Array(memory.buffer, at + index * stride * 4, columns);
  let sum = 0;
  for (let index = 0; index < rows; index++) {
    const values = row(one, index);
    const less = other && row(other, index);
    for (let column = 0; column < columns; column++) {
      sum += (values[column] - (less ? less[column] : 0)) ** 2;
    }
  }
  return sum;
}
