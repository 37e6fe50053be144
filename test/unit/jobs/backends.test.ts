import { describe, expect, it } from 'vitest';
import { Backends, type GpuProvider, type JobWork } from '../../../src/jobs/backends/backends.js';
import { WindowGpu } from '../../../src/jobs/backends/windowGpu.js';
import type { GpuConnection } from '../../../src/compute/webgpu/gpuMachine.js';
import { findWebGpuPackage } from '../../../src/compute/webgpu/node/nodeAdapter.js';
import type { TaskMachine } from '../../../src/compute/taskMachine.js';
import { MeasuredRates } from '../../../src/jobs/backends/measuredRates.js';
import { NodeGpu } from '../../../src/jobs/backends/node/nodeGpu.js';
import { GpuFailure } from '../../../src/kernels/webgpu/gpuFailure.js';
import { createPool, HOST, temporaryFolder } from '../../support/checkpoints.js';
import { serveGpu } from '../../support/gpuMachine.js';
import { whyNoGpu } from '../../support/gpu.js';

const why = await whyNoGpu();
if (why) console.warn(`Choices of a GPU are not tested: ${why}`);

const LONG: JobWork = { bytes: 1e9, quantized: 1e10, flops: 1e13 };
const SHORT: JobWork = { bytes: 1e6, quantized: 1e6, flops: 1e9 };
const NONE: GpuProvider = {
  connect: () => Promise.reject(new GpuFailure('No GPU is found that WebGPU can use')),
};

describe('without a GPU', () => {
  it('is not spoken of, but in the log', async () => {
    const log: string[] = [];
    const backends = new Backends('auto', NONE, { log: (line) => log.push(line) });
    expect(await backends.choose(await createPool(), LONG)).toEqual({});
    expect(log).toEqual([
      'Runs on wasm: no GPU can be used (No GPU is found that WebGPU can use).',
    ]);
  });

  it('is an error where one was asked for', async () => {
    const backends = new Backends('webgpu', NONE, { mustHaveGpu: true });
    const choice = backends.choose(await createPool(), SHORT);
    await expect(choice).rejects.toThrow('No GPU is found that WebGPU can use');
  });

  it('is said in the report where one was preferred', async () => {
    expect(await new Backends('webgpu', NONE).choose(await createPool(), SHORT)).toEqual({
      reason: 'webgpu was asked for, but no GPU can be used (No GPU is found that WebGPU can use)',
    });
  });

  it.each(['auto', 'webgpu'] as const)(
    '%s: a job that is cancelled meanwhile is cancelled',
    async (choice) => {
      const abort = new AbortController();
      const provider: GpuProvider = { connect: () => (abort.abort(), NONE.connect()) };
      const chosen = new Backends(choice, provider).choose(await createPool(), LONG, abort);
      await expect(chosen).rejects.toThrow('Cancelled');
    },
  );

  it.each(['auto', 'webgpu'] as const)(
    '%s: a job is cancelled at once where the search for one hangs, and the next waits for the same',
    async (choice) => {
      const abort = new AbortController();
      let asked = 0;
      let answer: (error: Error) => void = () => undefined;
      const provider: GpuProvider = {
        connect: () => new Promise((_, reject) => (asked++, (answer = reject))),
      };
      const backends = new Backends(choice, provider);
      const pool = await createPool();
      const hanging = backends.choose(pool, LONG, abort);
      abort.abort();
      await expect(hanging).rejects.toThrow('Cancelled');
      const next = backends.choose(pool, LONG);
      answer(new GpuFailure('It never came'));
      expect((await next).gpu).toBeUndefined();
      expect(asked).toBe(1);
    },
  );

  it('of a window, is sought beside the files first, and says how to have one there', async () => {
    const found = { adapter: { description: 'A card' } } as GpuConnection;
    const there: GpuProvider = { connect: () => Promise.resolve(found) };
    const missing: GpuProvider = {
      connect: () => Promise.reject(new GpuFailure('There is no npm package "webgpu" in /gpu')),
    };
    expect(await new WindowGpu(there, NONE).connect()).toBe(found);
    expect(await new WindowGpu(missing, there).connect()).toBe(found);
    await expect(new WindowGpu(missing, NONE).connect()).rejects.toThrow(
      'There is no npm package "webgpu" in /gpu; No GPU is found that WebGPU can use',
    );
    await expect(new WindowGpu(undefined, NONE).connect()).rejects.toThrow(
      /^No GPU is found that WebGPU can use; .* the setting quantscope\.webgpuPackage$/,
    );
  });

  it('says that the package is missing, and where it was looked for', async () => {
    const folder = await temporaryFolder();
    const named = new NodeGpu(HOST, { packageFolder: folder });
    await expect(named.connect()).rejects.toThrow(`There is no npm package "webgpu" in ${folder}`);
    expect(findWebGpuPackage(folder)).toBeUndefined();
  });
});

describe.skipIf(why)('with a GPU', () => {
  it.each([
    ['wasm', LONG],
    ['reference', LONG],
    // Measuring would take longer.
    ['auto', SHORT],
  ] as const)('%s does not even look for it', async (choice, work) => {
    let asked = false;
    const provider: GpuProvider = { connect: () => ((asked = true), NONE.connect()) };
    expect(await new Backends(choice, provider).choose(await createPool(), work)).toEqual({});
    expect(asked).toBe(false);
  });

  it('auto never takes one that computes on the CPU', async () => {
    const served = await serveGpu();
    const log: string[] = [];
    const backends = new Backends('auto', served, { log: (line) => log.push(line) });
    expect(await backends.choose(await createPool(), LONG)).toEqual({});
    expect(log.join()).toMatch(
      /^Runs on wasm: the adapter that was found, .*, computes on the CPU; /,
    );
    served.close();
  });

  it.each([
    ['threads', 1e11, undefined],
    ['the GPU', 1e13, 'webgpu'],
  ] as const)(
    'auto measures both, once, and takes %s where they are faster',
    async (_, flops, taken) => {
      const served = await serveGpu();
      const adapter = { ...served.connection.adapter, isSoftware: false, description: 'A card' };
      const connection = { ...served.connection, adapter };
      const measured: string[] = [];
      const measure = ({ backend }: TaskMachine) => {
        measured.push(backend);
        const others = { bytes: 1e10, quantized: 1e10 };
        return Promise.resolve({ ...others, flops: backend === 'webgpu' ? flops : 2e11 });
      };
      const provider = { connect: () => Promise.resolve(connection) };
      const rates = new MeasuredRates();
      const backends = new Backends('auto', provider, { measure, rates });
      const pool = await createPool();
      const { gpu, reason } = await backends.choose(pool, LONG);
      expect(gpu?.backend).toBe(taken);
      await gpu?.end();
      expect(reason).toMatch(/^about [0-9.]+ s on A card, 51 s on 2 threads$/);
      // Others that know of the same rates measure nothing, as threads of one session do.
      const other = new Backends('auto', provider, { measure, rates });
      const again = await other.choose(pool, LONG);
      await again.gpu?.end();
      expect(again.reason).toBe(reason);
      expect(measured).toEqual(['webgpu', 'wasm']);
      served.close();
    },
  );
});
