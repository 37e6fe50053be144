import { readFile } from 'node:fs/promises';
import { ChunkLoader } from '../../src/compute/chunkLoader.js';
import { SharedRegions } from '../../src/compute/sharedRegions.js';
import type { TaskMachine } from '../../src/compute/taskMachine.js';
import type { NumberFormat, ScaleDtype } from '../../src/formats/types.js';
import { instantiateKernels } from '../../src/kernels/wasm/wasmKernels.js';
import type { CalibrationSite, Gram } from '../../src/methods/types.js';
import { makeCalibrationMethods } from '../../src/methods/workerMethods.js';
import { OpenSources } from '../../src/storage/openSources.js';

type AnyMethods = Record<string, (task: unknown) => unknown>;

/** The tasks of calibrated methods in this thread, over a memory as a pool has it. */
export class CalibrationMachine {
  readonly machine: TaskMachine;

  private constructor(
    private readonly regions: SharedRegions,
    methods: AnyMethods,
  ) {
    const run = async (
      method: string,
      tasks: Iterable<{ readonly scratchBytes: number }>,
      onResult: (result: unknown, index: number) => void | Promise<void>,
      signal?: AbortSignal,
    ) => {
      let index = 0;
      for (const task of tasks) {
        signal?.throwIfAborted();
        const region = regions.regionFor(0, task.scratchBytes);
        // As messages between threads are: what cannot be sent fails here, too.
        const sent = structuredClone({ ...task, region, memoryEnd: regions.end });
        await onResult(structuredClone(await methods[method](sent)), index++);
      }
    };
    this.machine = { tasks: () => ({ run }) } as unknown as TaskMachine;
  }

  static async create(): Promise<CalibrationMachine> {
    const regions = new SharedRegions();
    const file = new URL('../../dist/kernels.wasm', import.meta.url);
    const module = await WebAssembly.compile(await readFile(file));
    const exports = await instantiateKernels(module, regions.memory);
    const sources = new OpenSources(() => Promise.reject(new Error('No file is read here')));
    const loader = new ChunkLoader(regions.memory, exports, sources);
    const methods = await makeCalibrationMethods(loader, undefined);
    return new CalibrationMachine(regions, methods as unknown as AnyMethods);
  }

  /** Puts numbers into the memory. @returns their address */
  put(values: Float32Array | Float64Array): number {
    const { start } = this.regions.reserve(values.byteLength);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Uint8Array(this.regions.memory.buffer, start, values.byteLength).set(bytes);
    return start;
  }

  floats(at: number, count: number): Float32Array {
    return new Float32Array(this.regions.memory.buffer, at, count).slice();
  }

  /** A site of linear maps with these weights, f32 [outputs × inputs] each. */
  site(
    inputs: number,
    weights: readonly Float32Array[],
    format: NumberFormat,
    scaleDtype: ScaleDtype = 'f32',
  ): CalibrationSite {
    const linears = weights.map((matrix, i) => ({
      name: `linear${i}`,
      outputs: matrix.length / inputs,
      weights: { at: this.put(matrix), stride: inputs },
    }));
    return { machine: this.machine, block: 2, inputs, linears, format, scaleDtype };
  }

  gram(products: Float64Array, rows: number): Gram {
    return { at: this.put(products), rows };
  }
}
