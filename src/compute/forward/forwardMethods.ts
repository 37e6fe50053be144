import { parseFormat } from '../../formats/index.js';
import type { ForwardKernels } from '../../kernels/forwardKernels.js';
import { ReferenceForwardKernels } from '../../kernels/reference/referenceForward.js';
import { instantiateForward, WasmForwardKernels } from '../../kernels/wasm/wasmForward.js';
import type { ForwardApi, GatherTask, ScratchTask } from '../../protocol/forward.js';
import { DTYPES } from '../../safetensors/dtypes.js';
import type { ChunkLoader } from '../chunkLoader.js';
import { ForwardPass } from './forwardPass.js';

/**
 * The methods of the forward pass in a worker.
 * @param module absent: the reference kernels
 */
export async function forwardMethods(
  loader: ChunkLoader,
  module: WebAssembly.Module | undefined,
): Promise<ForwardApi> {
  const { memory } = loader;
  const kernels: ForwardKernels = module
    ? new WasmForwardKernels(await instantiateForward(module, memory))
    : new ReferenceForwardKernels(memory);
  const pass = new ForwardPass(kernels);
  const onRows =
    <Task extends ScratchTask>(step: (task: Task) => void) =>
    async (task: Task) => {
      loader.ensureVisible(task.memoryEnd);
      step(task);
    };

  return {
    async loadBytes({ source, offset, bytes, target, memoryEnd }) {
      loader.ensureVisible(memoryEnd);
      loader.reader.read(source, offset, new Uint8Array(memory.buffer, target, bytes));
    },
    async loadVector(task) {
      loader.ensureVisible(task.memoryEnd);
      const elements = task.chunk.rows * task.chunk.columns;
      const values = loader.decode(task).weights(elements);
      new Float32Array(memory.buffer, task.target, elements).set(values);
    },
    async packWeights(task) {
      const { chunk, format, scaleDtype, target } = task;
      loader.ensureVisible(task.memoryEnd);
      const { kernels: chunkKernels, weights } = loader.load(task);
      const elements = chunk.rows * chunk.columns;
      let values = chunkKernels.weights(elements);
      if (format) {
        const { id, tensorRange } = format;
        const options = { tensorRange, keepOutput: true };
        chunkKernels.quantize(parseFormat(id), scaleDtype, chunk, options);
        values = chunkKernels.output(elements);
      }
      const source = { at: values.byteOffset, stride: chunk.columns };
      kernels.packRows(source, chunk.rows, chunk.columns, target);
      return weights;
    },
    gatherRows: onRows((task) => gatherRows(loader, task)),
    applyLinear: onRows((task) => pass.applyLinear(task)),
    project: onRows((task) => pass.project(task)),
    attend: onRows((task) => pass.attend(task)),
    finish: onRows((task) => pass.finish(task)),
    score: onRows((task) => pass.score(task)),
    async logits(task) {
      loader.ensureVisible(task.memoryEnd);
      const at = pass.logits(task);
      return new Float32Array(memory.buffer, at, task.rows * task.head.outputs).slice();
    },
  };
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

function gatherRows(loader: ChunkLoader, task: GatherTask): void {
  const { matrix, rows, target, scale, add, format, scaleDtype, region } = task;
  const { source, offset, dtype, columns } = matrix;
  const bytes = DTYPES[dtype].bits / 8;
  for (let i = 0; i < rows.length; i++) {
    const { first, count } = quantizedSpan(task, rows[i]);
    const chunk = { source, offset: offset + first * bytes, dtype, rows: 1, columns: count };
    const { kernels } = loader.load({ chunk, region });
    let values = kernels.weights(count);
    if (format) {
      const options = { tensorRange: format.tensorRange, keepOutput: true };
      kernels.quantize(parseFormat(format.id), scaleDtype, chunk, options);
      values = kernels.output(count);
    }
    const at = target.at + i * target.stride * 4;
    const out = new Float32Array(loader.memory.buffer, at, columns);
    const skip = rows[i] * columns - first;
    for (let j = 0; j < columns; j++) {
      const value = Math.fround(values[skip + j] * scale);
      out[j] = add ? out[j] + value : value;
    }
  }
}
