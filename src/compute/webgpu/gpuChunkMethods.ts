import { parseFormat } from '../../formats/index.js';
import { findNarrowerTypes } from '../../kernels/statistics/narrowerType.js';
import type { ChunkTask, QuantizeResult, QuantizeTask } from '../tasks.js';
import type { DeviceChunks } from './deviceChunks.js';
import type { GpuMethod } from './gpuService.js';

/** What a device does with chunks of tensors: `ChunkApi`, without output. */
export function makeGpuChunkMethods(
  chunks: DeviceChunks,
): Readonly<Record<'quantize' | 'inspect' | 'groupExtremes', GpuMethod>> {
  const { kernels } = chunks;
  return {
    async quantize({ chunk, formats, scaleDtype }: QuantizeTask) {
      const begin = performance.now();
      const stored = await chunks.read(chunk);
      const { weights, sums, end } = chunks.load(chunk, stored);
      const read = performance.now();
      const errors = formats.map(({ id, tensorRange }) =>
        kernels.quantize({
          format: parseFormat(id),
          scaleDtype,
          shape: chunk,
          weights,
          tensorRange,
        }),
      );
      end();
      const isWide = chunk.dtype === 'F32' && chunk.source.kind !== 'decoded';
      const narrower = isWide && stored ? findNarrowerTypes(new Uint32Array(stored.buffer)) : 0;
      const collected = chunks.collect();
      return async (): Promise<QuantizeResult> => ({
        weights: await sums,
        narrower,
        errors: await collected.then(() => Promise.all(errors)),
        readSeconds: (read - begin) / 1000,
        kernelSeconds: (performance.now() - read) / 1000,
      });
    },
    async inspect({ chunk }: ChunkTask) {
      const { sums, end } = chunks.load(chunk, await chunks.read(chunk));
      end();
      const collected = chunks.collect();
      return () => collected.then(() => sums);
    },
    async groupExtremes({ chunk, groupSize }: ChunkTask & { readonly groupSize: number }) {
      const { weights, end } = chunks.load(chunk, await chunks.read(chunk));
      const extremes = kernels.groupExtremes(weights, chunk, groupSize);
      end();
      const collected = chunks.collect();
      return () => collected.then(() => extremes);
    },
  };
}
