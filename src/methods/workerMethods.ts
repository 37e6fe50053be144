import type { ChunkLoader } from '../compute/chunkLoader.js';
import { ReferenceCalibrationKernels } from '../kernels/reference/calibration/referenceCalibration.js';
import type { Handlers } from '../rpc/rpc.js';
import { makeClipMethods } from './clipping/clipMethods.js';
import { makeGptqMethods } from './gptq/gptqMethods.js';
import { makeGramMethods } from './gram/gramMethods.js';
import { makeHqqMethods } from './hqq/hqqMethods.js';
import type { CalibrationApi } from './tasks.js';

/** The tasks of calibrated methods in a worker. */
export function makeCalibrationMethods(loader: ChunkLoader): Handlers<CalibrationApi> {
  const kernels = new ReferenceCalibrationKernels(loader.memory);
  return {
    ...makeGramMethods(loader, kernels),
    ...makeGptqMethods(loader, kernels),
    ...makeClipMethods(loader),
    ...makeHqqMethods(loader),
  };
}
