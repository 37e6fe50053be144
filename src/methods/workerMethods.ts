import type { ChunkLoader } from '../compute/chunkLoader.js';
import { ReferenceCalibrationKernels } from '../kernels/reference/calibration/referenceCalibration.js';
import { instantiateForward } from '../kernels/wasm/forwardModule.js';
import { WasmCalibrationKernels } from '../kernels/wasm/wasmCalibration.js';
import type { Handlers } from '../rpc/rpc.js';
import { makeClipMethods } from './clipping/clipMethods.js';
import { makeGptqMethods } from './gptq/gptqMethods.js';
import { makeGramMethods } from './gram/gramMethods.js';
import { makeHqqMethods } from './hqq/hqqMethods.js';
import { makeImatrixMethods } from './imatrix/imatrixMethods.js';
import type { CalibrationApi } from './tasks.js';
import { makeVptqMethods } from './vptq/vptqMethods.js';

/**
 * The tasks of calibrated methods in a worker.
 * @param module that of the forward pass; absent: the reference kernels
 */
export async function makeCalibrationMethods(
  loader: ChunkLoader,
  module: WebAssembly.Module | undefined,
): Promise<Handlers<CalibrationApi>> {
  const { memory } = loader;
  const kernels = module
    ? new WasmCalibrationKernels(await instantiateForward(module, memory))
    : new ReferenceCalibrationKernels(memory);
  return {
    ...makeGramMethods(loader, kernels),
    ...makeGptqMethods(loader, kernels),
    ...makeClipMethods(loader),
    ...makeHqqMethods(loader),
    ...makeImatrixMethods(loader),
    ...makeVptqMethods(loader, kernels),
  };
}
