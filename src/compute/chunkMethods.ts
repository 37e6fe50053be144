import { parseFormat } from '../formats/index.js';
import { codeValue } from '../kernels/reference/decode.js';
import { countCodes } from '../kernels/statistics/codeCounts.js';
import { refineStatistics, wideStatistics } from '../kernels/statistics/wideStatistics.js';
import type { Handlers } from '../rpc/rpc.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { ChunkApi, ChunkTask } from './tasks.js';

function secondsSince(begin: number): number {
  return (performance.now() - begin) / 1000;
}

function elementsOf({ chunk }: ChunkTask): number {
  return chunk.rows * chunk.columns;
}

/** What a worker does with chunks. It owns no data: each task names bytes and a region of memory. */
export function chunkMethods(loader: ChunkLoader): Handlers<ChunkApi> {
  return {
    async quantize(task) {
      const begin = performance.now();
      await loader.read(task);
      const readSeconds = secondsSince(begin);
      const kernelBegin = performance.now();
      const { kernels, weights } = loader.widen(task);
      const errors = task.formats.map(({ id, tensorRange }, index) =>
        kernels.quantize(parseFormat(id), task.scaleDtype, task.chunk, {
          tensorRange,
          keepOutput: task.keepOutput && index === 0,
        }),
      );
      const output = task.keepOutput ? kernels.output(elementsOf(task)).slice() : undefined;
      return { weights, errors, output, readSeconds, kernelSeconds: secondsSince(kernelBegin) };
    },
    async inspect(task) {
      return (await loader.load(task)).weights;
    },
    async countCodes(task) {
      const { dtype } = task.chunk;
      const valueOf = codeValue(dtype);
      if (!valueOf) throw new Error(`${dtype} has more than 16 bits`);
      return countCodes(await loader.read(task), dtype, elementsOf(task), valueOf);
    },
    async wideStatistics(task) {
      return wideStatistics((await loader.decode(task)).weights(elementsOf(task)));
    },
    async refineStatistics(task) {
      return refineStatistics((await loader.decode(task)).weights(elementsOf(task)), task);
    },
    async groupExtremes(task) {
      const { kernels } = await loader.load(task);
      return kernels.groupExtremes(task.chunk, task.groupSize);
    },
  };
}
