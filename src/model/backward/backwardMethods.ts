import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { ReferenceBackwardKernels } from '../../kernels/reference/backward/referenceBackward.js';
import { ReferenceForwardKernels } from '../../kernels/reference/referenceForward.js';
import { instantiateForward } from '../../kernels/wasm/forwardModule.js';
import { WasmBackwardKernels } from '../../kernels/wasm/wasmBackward.js';
import { WasmForwardKernels } from '../../kernels/wasm/wasmForward.js';
import type { Handlers } from '../../rpc/rpc.js';
import { RegionScratch } from '../forward/scratch.js';
import { BackwardPass } from './backwardPass.js';
import { Matrices } from './matrices.js';
import type { BackwardApi } from './tasks.js';

/**
 * The way back in a worker.
 * @param module that of the forward pass; absent: the reference kernels
 */
export async function makeBackwardMethods(
  loader: ChunkLoader,
  module: WebAssembly.Module | undefined,
): Promise<Handlers<BackwardApi>> {
  const { memory } = loader;
  const exports = module && (await instantiateForward(module, memory));
  const matrices = exports
    ? new Matrices(new WasmForwardKernels(exports), new WasmBackwardKernels(exports), memory)
    : new Matrices(
        new ReferenceForwardKernels(memory),
        new ReferenceBackwardKernels(memory),
        memory,
      );
  return {
    async addWindowGradient(task) {
      loader.ensureVisible(task.memoryEnd);
      const pass = new BackwardPass(matrices, task, new RegionScratch(task.region));
      return pass.addGradient(task);
    },
    async windowLoss(task) {
      loader.ensureVisible(task.memoryEnd);
      return new BackwardPass(matrices, task, new RegionScratch(task.region)).loss(task);
    },
    async finalStates(task) {
      loader.ensureVisible(task.memoryEnd);
      return new BackwardPass(matrices, task, new RegionScratch(task.region)).states(task.target);
    },
    async addGradients({ source, target, count, memoryEnd }) {
      loader.ensureVisible(memoryEnd);
      const from = new Float32Array(memory.buffer, source, count);
      const to = new Float32Array(memory.buffer, target, count);
      for (let i = 0; i < count; i++) to[i] += from[i];
    },
  };
}
