import { parseFormat } from '../formats/index.js';
import { findNarrowerTypes } from '../kernels/statistics/narrowerType.js';
import type { ErrorSums, Kernels } from '../kernels/types.js';
import type { Handlers } from '../rpc/rpc.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { ChunkApi, ChunkTask } from './tasks.js';
import { transpose } from './transpose.js';

function secondsSince(begin: number): number {
  return (performance.now() - begin) / 1000;
}

function elementsOf({ chunk }: ChunkTask): number {
  return chunk.rows * chunk.columns;
}

/** Types of 16 bits that have all values of a chunk as it was read, see `findNarrowerTypes`. */
function narrowerTypesOf(task: ChunkTask, kernels: Kernels): number {
  const { dtype, source } = task.chunk;
  // What decoded weights are stored as is known.
  if (dtype !== 'F32' || source.kind === 'decoded') return 0;
  const elements = elementsOf(task);
  const { buffer, byteOffset } = kernels.input(dtype, elements);
  return findNarrowerTypes(new Uint32Array(buffer, byteOffset, elements));
}

/** What a worker does with chunks. It owns no data: each task names bytes and a region of memory. */
export function makeChunkMethods(loader: ChunkLoader): Handlers<ChunkApi> {
  return {
    async quantize(task) {
      const begin = performance.now();
      const read = await loader.read(task);
      const readSeconds = secondsSince(begin);
      const kernelBegin = performance.now();
      const { chunk, formats, scaleDtype, output } = task;
      const narrower = narrowerTypesOf(task, read);
      // Transposed chunks are transposed back on their way to the slot.
      const transposed = chunk.storedStride !== undefined;
      const { kernels, weights } = loader.widen(task, transposed ? undefined : output);
      const errors = new Array<ErrorSums>(formats.length);
      // The first format comes last: others may use the output area as well.
      for (let index = formats.length - 1; index >= 0; index--) {
        const { id, tensorRange } = formats[index];
        const keepOutput = output !== undefined && index === 0;
        errors[index] = kernels.quantize(parseFormat(id), scaleDtype, chunk, {
          tensorRange,
          keepOutput,
        });
      }
      if (transposed && output) {
        loader.ensureVisible(output.start + output.bytes);
        const elements = elementsOf(task);
        const stored = new Float32Array(loader.memory.buffer, output.start, elements);
        transpose(kernels.output(elements), stored, chunk.rows, chunk.columns);
      }
      const kernelSeconds = secondsSince(kernelBegin);
      return { weights, narrower, errors, outputAt: output?.start, readSeconds, kernelSeconds };
    },
    async inspect(task) {
      return (await loader.load(task)).weights;
    },
    async groupExtremes(task) {
      const { kernels } = await loader.load(task);
      const { positive, negative } = kernels.groupExtremes(task.chunk, task.groupSize);
      // Copies: views would take the whole memory along.
      return { positive: positive.slice(), negative: negative.slice() };
    },
  };
}
