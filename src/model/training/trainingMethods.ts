import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/index.js';
import { ReferenceBackwardKernels } from '../../kernels/reference/backward/referenceBackward.js';
import { instantiateForward } from '../../kernels/wasm/forwardModule.js';
import { WasmBackwardKernels } from '../../kernels/wasm/wasmBackward.js';
import type { Handlers } from '../../rpc/rpc.js';
import type { TrainingApi } from './tasks.js';

/**
 * Training's steps in a worker.
 * @param module that of the forward pass; absent: the reference kernels
 */
export async function makeTrainingMethods(
  loader: ChunkLoader,
  module: WebAssembly.Module | undefined,
): Promise<Handlers<TrainingApi>> {
  const { memory } = loader;
  const backward = module
    ? new WasmBackwardKernels(await instantiateForward(module, memory))
    : new ReferenceBackwardKernels(memory);
  return {
    async roundWeights({ source, target, rows, inputs, format, scaleDtype, region, memoryEnd }) {
      loader.ensureVisible(memoryEnd);
      const elements = rows * inputs;
      const kernels = loader.kernelsIn(region);
      kernels.weights(elements).set(new Float32Array(memory.buffer, source, elements));
      const shape = { rows, columns: inputs };
      kernels.quantize(parseFormat(format), scaleDtype, shape, { keepOutput: true });
      new Float32Array(memory.buffer, target, elements).set(kernels.output(elements));
    },
    async adamStep({ step, memoryEnd }) {
      loader.ensureVisible(memoryEnd);
      backward.adamStep(step);
    },
  };
}
