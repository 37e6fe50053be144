// Entry point of a compute worker (a `worker_threads` thread). It owns no data: each task names the
// bytes to read and the region of the shared memory to work in.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { parseFormat } from '../formats/index.js';
import { codeValue } from '../kernels/reference/decode.js';
import { ReferenceKernels } from '../kernels/reference/referenceKernels.js';
import { countCodes } from '../kernels/statistics/codeCounts.js';
import { refineStatistics, wideStatistics } from '../kernels/statistics/wideStatistics.js';
import type { Kernels } from '../kernels/types.js';
import {
  instantiateKernels,
  WasmKernels,
  type KernelExports,
} from '../kernels/wasm/wasmKernels.js';
import { Workspace, type MemoryRegion } from '../kernels/workspace.js';
import { connect } from '../protocol/rpc.js';
import type { ChunkRef, ChunkTask, WorkerApi } from '../protocol/worker.js';
import { ChunkReader } from './chunkReader.js';
import { messagePortChannel } from './messagePortChannel.js';

/** What the pool starts a worker with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Absent: run the reference kernels. */
  readonly module?: WebAssembly.Module;
}

function seconds(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / 1e9;
}

async function start(port: MessagePort, { memory, module }: WorkerStart): Promise<void> {
  const exports: KernelExports | undefined = module && (await instantiateKernels(module, memory));
  const reader = new ChunkReader();
  let current: { region: MemoryRegion; kernels: Kernels } | undefined;

  function kernelsIn(region: MemoryRegion): Kernels {
    if (current?.region.start === region.start && current.region.bytes === region.bytes) {
      return current.kernels;
    }
    // A zero growth makes this thread see what another one added to the shared memory.
    if (memory.buffer.byteLength < region.start + region.bytes) memory.grow(0);
    const workspace = new Workspace(memory, region);
    const kernels = exports ? new WasmKernels(exports, workspace) : new ReferenceKernels(workspace);
    current = { region, kernels };
    return kernels;
  }

  /** Reads a chunk; returns its number of elements. */
  function load(kernels: Kernels, { source, offset, dtype, rows, columns }: ChunkRef): number {
    reader.read(source, offset, kernels.input(dtype, rows * columns));
    return rows * columns;
  }

  function loadAndDecode({ chunk, region }: ChunkTask) {
    const kernels = kernelsIn(region);
    const elements = load(kernels, chunk);
    kernels.decode(chunk.dtype, elements);
    return { kernels, elements };
  }

  connect<WorkerApi, Record<never, never>>(messagePortChannel(port), {
    async quantize(task) {
      const begin = process.hrtime.bigint();
      const kernels = kernelsIn(task.region);
      const elements = load(kernels, task.chunk);
      const readSeconds = seconds(begin);
      const kernelBegin = process.hrtime.bigint();
      kernels.decode(task.chunk.dtype, elements);
      const weights = kernels.inspect(elements);
      const errors = task.formats.map(({ id, tensorRange }, index) =>
        kernels.quantize(parseFormat(id), task.scaleDtype, task.chunk, {
          tensorRange,
          keepOutput: task.keepOutput && index === 0,
        }),
      );
      const output = task.keepOutput ? kernels.output(elements).slice() : undefined;
      return { weights, errors, output, readSeconds, kernelSeconds: seconds(kernelBegin) };
    },
    async inspect(task) {
      const { kernels, elements } = loadAndDecode(task);
      return kernels.inspect(elements);
    },
    async countCodes(task) {
      const kernels = kernelsIn(task.region);
      const elements = load(kernels, task.chunk);
      const valueOf = codeValue(task.chunk.dtype);
      if (!valueOf) throw new Error(`${task.chunk.dtype} has more than 16 bits`);
      return countCodes(kernels, task.chunk.dtype, elements, valueOf);
    },
    async wideStatistics(task) {
      const { kernels, elements } = loadAndDecode(task);
      return wideStatistics(kernels.weights(elements));
    },
    async refineStatistics(task) {
      const { kernels, elements } = loadAndDecode(task);
      return refineStatistics(kernels.weights(elements), task);
    },
    async groupExtremes(task) {
      const { kernels, elements } = loadAndDecode(task);
      kernels.inspect(elements);
      return kernels.groupExtremes(task.chunk, task.groupSize);
    },
    async closeFiles() {
      reader.close();
    },
  });
  port.postMessage('ready');
}

if (parentPort) void start(parentPort, workerData as WorkerStart);
