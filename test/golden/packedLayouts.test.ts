import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findStoredWeights } from '../../src/layouts/storedWeights.js';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint.js';
import type { CheckpointTensor } from '../../src/checkpoint/types.js';
import { localFileSystem } from '../../src/storage/node/localFileSystem.js';

// Weights as the original code packed them, and as it decodes them itself (AutoGPTQ, AutoAWQ).
const PACKED = join(import.meta.dirname, '../fixtures/layouts/packed.safetensors');

async function valuesOf(tensor: CheckpointTensor): Promise<Float32Array> {
  const values = new Float32Array(tensor.elements);
  const sources = openStoredSources();
  await sources.read(tensor.source, tensor.offset, new Uint8Array(values.buffer));
  await sources.close();
  return values;
}

test.each([
  ['autogptq.int2.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autogptq.int3.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autogptq.int4.asym.g32', { quant_method: 'gptq', sym: false }],
  ['autogptq.int8.asym.g32', { quant_method: 'gptq', sym: false }],
  ['autogptq.int8.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autoawq_gemm.int4.g32', { quant_method: 'awq', version: 'gemm' }],
])('%s decodes to the bits of the original code', async (name, quantization) => {
  const { tensors } = await openCheckpoint(PACKED, localFileSystem);
  const { weightOf } = await findStoredWeights(tensors, quantization, () => {
    throw new Error('nothing needs to be read');
  });
  const decoded = [...weightOf.values()].find((weight) => weight.name === `${name}.weight`)!;
  expect(decoded.shape).toEqual([64, 64]);
  const expected = await valuesOf(tensors.find((tensor) => tensor.name === name)!);
  const found = await valuesOf(decoded);
  const differing = found.findIndex((value, i) => value !== expected[i]);
  expect(differing, `${found[differing]} ${expected[differing]}`).toBe(-1);
});
