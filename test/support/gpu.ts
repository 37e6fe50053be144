// A device for tests: a real one where there is one, else one that computes on the CPU.
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Gpu, type GpuOptions } from '../../src/kernels/webgpu/gpu.js';

/** Where Debian's Chromium keeps the driver that computes on the CPU. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Devices do not keep what they come from alive, and cannot do without it. */
const instances: GPU[] = [];

async function findAdapter(): Promise<GPUAdapter | string> {
  if (!process.env.VK_ICD_FILENAMES && existsSync(SOFTWARE_DRIVER)) {
    process.env.VK_ICD_FILENAMES = SOFTWARE_DRIVER;
  }
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    const instance = create([]);
    instances.push(instance);
    const adapter = await instance.requestAdapter();
    return adapter ?? 'there is no WebGPU adapter here (Vulkan: libvulkan1 and a driver)';
  } catch (error) {
    return `the package webgpu does not run here: ${String(error)}`;
  }
}

let adapter: Promise<GPUAdapter | string> | undefined;

/** Why there can be no device here; undefined where there can. Said once where tests are skipped. */
export async function whyNoGpu(): Promise<string | undefined> {
  adapter ??= findAdapter();
  const found = await adapter;
  return typeof found === 'string' ? found : undefined;
}

/** A device of its own for a test, which must destroy it. */
export async function openTestGpu(options?: GpuOptions): Promise<Gpu> {
  // An adapter gives one device only.
  const found = await findAdapter();
  if (typeof found === 'string') throw new Error(found);
  return Gpu.open(found, options);
}
