import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackwardKernels } from '../../src/kernels/backwardKernels.js';
import type { ForwardKernels } from '../../src/kernels/forwardKernels.js';
import type { CalibrationKernels } from '../../src/kernels/calibrationKernels.js';
import { ReferenceBackwardKernels } from '../../src/kernels/reference/backward/referenceBackward.js';
import { ReferenceForwardKernels } from '../../src/kernels/reference/referenceForward.js';
import {
  FORWARD_MODULES,
  instantiateForward,
  WasmForwardKernels,
} from '../../src/kernels/wasm/wasmForward.js';
import { WasmBackwardKernels } from '../../src/kernels/wasm/wasmBackward.js';
import { WasmCalibrationKernels } from '../../src/kernels/wasm/wasmCalibration.js';

/** Where tests may lay out data: behind the constants of the modules. */
export const FIRST_FREE = 65536;

/** Kernels over a memory of their own. */
export interface ForwardSetup {
  readonly name: string;
  readonly memory: WebAssembly.Memory;
  readonly kernels: ForwardKernels;
  readonly backward: BackwardKernels;
}

/** A setup with the loops of calibrated methods, which its module has too. */
export interface CalibrationSetup extends ForwardSetup {
  readonly calibration: CalibrationKernels;
}

function sharedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil((FIRST_FREE + bytes) / 65536);
  return new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
}

export function referenceForward(bytes: number): ForwardSetup {
  const memory = sharedMemory(bytes);
  return {
    name: 'reference',
    memory,
    kernels: new ReferenceForwardKernels(memory),
    backward: new ReferenceBackwardKernels(memory),
  };
}

/**
 * The builds that this engine accepts, as `npm run build` left them. Found from the repository's top
 * folder, where everything runs: a bundle, as the benchmarks are, lies anywhere.
 */
export async function wasmForward(bytes: number): Promise<CalibrationSetup[]> {
  const setups: CalibrationSetup[] = [];
  for (const name of FORWARD_MODULES) {
    const code = await readFile(join('dist', name));
    if (!WebAssembly.validate(code)) continue;
    const memory = sharedMemory(bytes);
    const exports = await instantiateForward(await WebAssembly.compile(code), memory);
    setups.push({
      name,
      memory,
      kernels: new WasmForwardKernels(exports),
      backward: new WasmBackwardKernels(exports),
      calibration: new WasmCalibrationKernels(exports),
    });
  }
  return setups;
}
