import { readFile } from 'node:fs/promises';
import { ReferenceKernels } from '../../src/kernels/reference/referenceKernels.js';
import type { Kernels } from '../../src/kernels/types.js';
import { instantiateKernels, WasmKernels } from '../../src/kernels/wasm/wasmKernels.js';
import { countRegionBytes, Workspace } from '../../src/kernels/workspace.js';

const PAGE = 65536;

function workspace(elements: number): Workspace {
  const bytes = countRegionBytes(elements);
  const pages = Math.ceil(bytes / PAGE) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  return new Workspace(memory, { start: PAGE, bytes });
}

/** The kernels as built by `npm run build`, over a memory of their own. */
export async function createWasmKernels(
  elements = 65536,
  file: string | URL = new URL('../../dist/kernels.wasm', import.meta.url),
): Promise<WasmKernels> {
  const bytes = await readFile(file);
  const space = workspace(elements);
  const module = await WebAssembly.compile(bytes);
  return new WasmKernels(await instantiateKernels(module, space.memory), space);
}

export function createReferenceKernels(elements = 65536): ReferenceKernels {
  return new ReferenceKernels(workspace(elements));
}

/** Puts f32 weights where the kernels expect a chunk. */
export function loadWeights(kernels: Kernels, weights: Float32Array): void {
  const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
  kernels.input('F32', weights.length).set(bytes);
  kernels.decode('F32', weights.length);
}
