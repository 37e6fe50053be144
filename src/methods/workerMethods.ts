import type { ChunkLoader } from '../compute/chunkLoader.js';
import { ReferenceCalibrationKernels } from '../kernels/reference/calibration/referenceCalibration.js';
import { ReferenceForwardKernels } from '../kernels/reference/referenceForward.js';
import { instantiateForward } from '../kernels/wasm/forwardModule.js';
import { WasmForwardKernels } from '../kernels/wasm/wasmForward.js';
import { WasmCalibrationKernels } from '../kernels/wasm/wasmCalibration.js';
import type { Handlers } from '../rpc/rpc.js';
import { makeClipMethods } from './clipping/clipMethods.js';
import { makeGptqMethods } from './gptq/gptqMethods.js';
import { makeGramMethods } from './gram/gramMethods.js';
import { makeGwqMethods } from './gwq/gwqMethods.js';
import { makeHqqMethods } from './hqq/hqqMethods.js';
import { makeImatrixMethods } from './imatrix/imatrixMethods.js';
import type { CalibrationApi } from './tasks.js';
import { makeSampleMethods } from './samples/sampleMethods.js';
import { makeLlmFp4Methods } from './llmFp4/llmFp4Methods.js';
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
  const exports = module && (await instantiateForward(module, memory));
  const kernels = exports
    ? new WasmCalibrationKernels(exports)
    : new ReferenceCalibrationKernels(memory);
  const forward = exports ? new WasmForwardKernels(exports) : new ReferenceForwardKernels(memory);
  return {
    ...makeGramMethods(loader, kernels),
    ...makeGptqMethods(loader, kernels),
    ...makeClipMethods(loader),
    ...makeHqqMethods(loader),
    ...makeGwqMethods(loader),
    ...makeImatrixMethods(loader),
    ...makeVptqMethods(loader, kernels),
    ...makeSampleMethods(loader, forward),
    ...makeLlmFp4Methods(loader, forward),
  };
}
