import type { ChunkLoader } from '../compute/chunkLoader.js';
import type { Handlers } from '../rpc/rpc.js';
import type { CalibrationApi } from './tasks.js';

/** The tasks of calibrated methods in a worker. */
export function makeCalibrationMethods(_loader: ChunkLoader): Handlers<CalibrationApi> {
  return {};
}
