import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import type { GpuOptions } from '../../../kernels/webgpu/gpu.js';

/** What the process of a GPU is started with. */
export interface GpuProcessStart extends GpuOptions {
  /** Folder of the npm package `webgpu`. */
  readonly packageFolder: string;
}

/** What the package has that is used here. */
interface WebGpuPackage {
  readonly globals: object;
  create(options: readonly string[]): GPU;
}

/**
 * The folder of the npm package `webgpu`: one that is named, or the one that a program in some folder would
 * import. It is not shipped.
 * @returns undefined where there is none
 */
export function findWebGpuPackage(programFolder: string, named?: string): string | undefined {
  const start = named ? join(named, 'package.json') : join(programFolder, 'program.js');
  const { resolve } = createRequire(pathToFileURL(start));
  for (const request of named ? ['./index.js', 'webgpu'] : ['webgpu']) {
    try {
      return dirname(resolve(request));
    } catch {
      // The next way, or none.
    }
  }
  return undefined;
}

/** Devices cannot do without what they come from, and do not keep it from being collected. */
const instances: GPU[] = [];

/** The fastest adapter of this machine. @throws GpuFailure where there is none */
export async function requestNodeAdapter(packageFolder: string): Promise<GPUAdapter> {
  let adapter: GPUAdapter | null;
  try {
    const url = pathToFileURL(join(packageFolder, 'index.js')).href;
    const { create, globals } = (await import(url)) as WebGpuPackage;
    Object.assign(globalThis, globals);
    const gpu = create([]);
    instances.push(gpu);
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new GpuFailure(`The package webgpu cannot be used (${reason})`, { cause: error });
  }
  if (!adapter) throw new GpuFailure('No GPU is found that WebGPU can use');
  return adapter;
}
