import { expect, it } from 'vitest';
import { GpuMachine } from '../../src/compute/webgpu/gpuMachine.js';
import { chunksOnThreads } from '../../src/compute/webgpu/chunksOnThreads.js';
import { probeMachine } from '../../src/model/evaluation/probeMachine.js';
import { forwardOnThreads } from '../../src/model/forward/webgpu/forwardOnThreads.js';
import { createPool } from '../support/checkpoints.js';
import { serveGpu } from '../support/gpuMachine.js';
import { whyNoGpu } from '../support/gpu.js';

const why = await whyNoGpu();

it.skipIf(why)('a device that computes on the CPU is slower than threads', async () => {
  const served = await serveGpu();
  const pool = await createPool();
  const machine = new GpuMachine(served.connection, pool, [chunksOnThreads, forwardOnThreads]);
  const device = await probeMachine(machine);
  const threads = await probeMachine(pool);
  console.log({ device, threads });
  for (const rate of Object.values({ ...device, ...threads })) expect(rate).toBeGreaterThan(0);
  expect(threads.flops).toBeGreaterThan(device.flops);
  await machine.end();
  served.close();
});
