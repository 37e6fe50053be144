// Entry point of a compute worker (a `worker_threads` thread). It owns no data: each task names the
// bytes to read and the region of the shared memory to work in.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { parseFormat } from '../formats/index.js';
import { codeValue } from '../kernels/reference/decode.js';
import { countCodes } from '../kernels/statistics/codeCounts.js';
import { refineStatistics, wideStatistics } from '../kernels/statistics/wideStatistics.js';
import { instantiateKernels } from '../kernels/wasm/wasmKernels.js';
import { connect } from '../protocol/rpc.js';
import type { ChunkTask, WorkerApi } from '../protocol/worker.js';
import { ChunkLoader } from './chunkLoader.js';
import { ChunkReader } from './chunkReader.js';
import { forwardMethods } from './forward/forwardMethods.js';
import { messagePortChannel } from './messagePortChannel.js';

/** What the pool starts a worker with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Absent: run the reference kernels. */
  readonly modules?: {
    readonly kernels: WebAssembly.Module;
    readonly forward: WebAssembly.Module;
  };
}

function seconds(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / 1e9;
}

function elementsOf({ chunk }: ChunkTask): number {
  return chunk.rows * chunk.columns;
}

async function start(port: MessagePort, { memory, modules }: WorkerStart): Promise<void> {
  const exports = modules && (await instantiateKernels(modules.kernels, memory));
  const reader = new ChunkReader();
  const loader = new ChunkLoader(memory, exports, reader);

  connect<WorkerApi, Record<never, never>>(messagePortChannel(port), {
    async quantize(task) {
      const begin = process.hrtime.bigint();
      loader.read(task);
      const readSeconds = seconds(begin);
      const kernelBegin = process.hrtime.bigint();
      const { kernels, weights } = loader.widen(task);
      const errors = task.formats.map(({ id, tensorRange }, index) =>
        kernels.quantize(parseFormat(id), task.scaleDtype, task.chunk, {
          tensorRange,
          keepOutput: task.keepOutput && index === 0,
        }),
      );
      const output = task.keepOutput ? kernels.output(elementsOf(task)).slice() : undefined;
      return { weights, errors, output, readSeconds, kernelSeconds: seconds(kernelBegin) };
    },
    async inspect(task) {
      return loader.load(task).weights;
    },
    async countCodes(task) {
      const kernels = loader.read(task);
      const { dtype } = task.chunk;
      const valueOf = codeValue(dtype);
      if (!valueOf) throw new Error(`${dtype} has more than 16 bits`);
      return countCodes(kernels, dtype, elementsOf(task), valueOf);
    },
    async wideStatistics(task) {
      return wideStatistics(loader.decode(task).weights(elementsOf(task)));
    },
    async refineStatistics(task) {
      return refineStatistics(loader.decode(task).weights(elementsOf(task)), task);
    },
    async groupExtremes(task) {
      return loader.load(task).kernels.groupExtremes(task.chunk, task.groupSize);
    },
    async closeFiles() {
      reader.close();
    },
    ...(await forwardMethods(loader, modules?.forward)),
  });
  port.postMessage('ready');
}

if (parentPort) void start(parentPort, workerData as WorkerStart);
