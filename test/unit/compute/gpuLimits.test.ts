// Devices that can hold no more than the specification of WebGPU guarantees, and less; more formats in test/slow.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { serveGpu, type ServedGpu } from '../../support/gpuMachine.js';
import { whyNoGpu } from '../../support/gpu.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';
import { sharedPool } from '../../support/sharedPool.js';
import {
  expectSameErrors,
  expectSameWeights,
  limitBuffers,
  machineOn,
  TINY_BUFFER_BYTES,
} from '../../support/smallGpu.js';

const why = await whyNoGpu();
if (why) console.warn(`A device with the smallest limits is not tested: ${why}`);

describe.skipIf(why)('a device with the smallest limits', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu({ smallestLimits: true });
  });
  afterAll(() => served.close());

  it('has those that the specification guarantees', () => {
    expect(served.gpu.device.limits).toMatchObject({
      maxBufferSize: 2 ** 28,
      maxStorageBufferBindingSize: 2 ** 27,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 2 ** 14,
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupsPerDimension: 65535,
    });
    expect(served.gpu.device.features.has('subgroups')).toBe(false);
  });

  it('compares a tensor that is larger than its buffers, to the bit', async () => {
    limitBuffers(served, TINY_BUFFER_BYTES);
    const { tensors } = await openLocalModel(join(GOLDEN_MODELS, 'qwen2-tied'));
    const tensor = tensors.find(({ name }) => name.endsWith('0.mlp.down_proj.weight'))!;
    expect(tensor.elements * 4).toBeGreaterThan(TINY_BUFFER_BYTES);
    const machine = machineOn(served, await sharedPool(), TINY_BUFFER_BYTES / 8);
    await expectSameErrors(machine, tensor, ['int4-asym:g16']);
    await expectSameWeights(machine, tensor, 'int4-asym:g16');
    await machine.end();
  });
});
