import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findStoredWeights } from '../../src/layouts/storedWeights.js';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint.js';
import type { StoredTensor } from '../../src/storage/container.js';
import type { SourceRef } from '../../src/storage/sourceRef.js';
import { localFileSystem } from '../../src/storage/node/localFileSystem.js';

// Weights as the original code packed them, and as it decodes them itself (AutoGPTQ, AutoAWQ).
const PACKED = join(import.meta.dirname, '../fixtures/layouts/packed.safetensors');

async function valuesOf(
  tensor: StoredTensor & { readonly source?: SourceRef },
  source = tensor.source!,
): Promise<Float32Array> {
  const values = new Float32Array(tensor.elements);
  const sources = openStoredSources();
  await sources.read(source, tensor.offset, new Uint8Array(values.buffer));
  await sources.close();
  return values;
}

/** A golden file, and what finds weights among its tensors without reading any. */
async function openGolden(path: string) {
  const { tensors, files } = await openCheckpoint(path, localFileSystem);
  const [{ source }] = files;
  const find = (parts: readonly StoredTensor[], quantization: Record<string, unknown>) =>
    findStoredWeights(
      parts,
      () => source,
      async () => quantization,
      () => {
        throw new Error('nothing needs to be read');
      },
    );
  return { tensors, source, find };
}

test.each([
  ['autogptq.int2.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autogptq.int3.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autogptq.int4.asym.g32', { quant_method: 'gptq', sym: false }],
  ['autogptq.int8.asym.g32', { quant_method: 'gptq', sym: false }],
  ['autogptq.int8.sym.g32', { quant_method: 'gptq', sym: true }],
  ['autoawq_gemm.int4.g32', { quant_method: 'awq', version: 'gemm' }],
  ['afpq_packed.fp4.asym.g32', { quant_method: 'afpq', format: 'fp', bits: 4 }],
  ['afpq_packed.fp3.sym.g32', { quant_method: 'afpq', format: 'fp', bits: 3 }],
  ['afpq_packed.nf4.sym.g32', { quant_method: 'afpq', format: 'nf', bits: 4 }],
  ['afpq_packed.nf4.asym.g32', { quant_method: 'afpq', format: 'nf', bits: 4 }],
  ['afpq_packed.nf3.asym.g32', { quant_method: 'afpq', format: 'nf', bits: 3 }],
])('%s decodes to the bits of the original code', async (name, quantization) => {
  const { tensors, source, find } = await openGolden(PACKED);
  const { weightOf } = await find(tensors, quantization);
  const decoded = [...weightOf.values()].find((weight) => weight.name === `${name}.weight`)!;
  expect(decoded.shape).toEqual([64, 64]);
  const expected = await valuesOf(
    tensors.find((tensor) => tensor.name === name)!,
    source,
  );
  const found = await valuesOf(decoded);
  const differing = found.findIndex((value, i) => value !== expected[i]);
  expect(differing, `${found[differing]} ${expected[differing]}`).toBe(-1);
});

const VPTQ = join(import.meta.dirname, '../fixtures/layouts/vptq.safetensors');

/** Names of a checkpoint, where the golden file has shorter ones. */
const CHECKPOINT_NAMES: readonly (readonly [golden: string, name: string])[] = [
  ['centroids', 'centroids.weight'],
  ['res_centroids', 'res_centroids.weight'],
  ['outlier_centroids', 'outlier_centroids.weight'],
  ['res_indices', 'res_indices'],
  ['outlier_indices', 'outlier_indices'],
  ['perm', 'perm'],
  ['weight_scale', 'weight_scale'],
  ['weight_bias', 'weight_bias'],
];

const VPTQ_CASES = [
  { name: 'v4_k16' },
  { name: 'v4_k16_r8_perm', residual: 8 },
  { name: 'v4_k16_r8_perm_norm', residual: 8 },
  { name: 'v4_k16_out2_k8', outliers: 5 },
  { name: 'v4_k16_groups2', groups: 2 },
];

test.each(VPTQ_CASES.flatMap((each) => [false, true].map((packed) => ({ ...each, packed }))))(
  'VPTQ decodes to the bits of the original code: $name, packed $packed',
  async ({ name, residual = -1, outliers = 0, groups = 1, packed }) => {
    const { tensors, source, find } = await openGolden(VPTQ);
    const golden = (part: string) => tensors.find((tensor) => tensor.name === `${name}.${part}`);
    const parts = [...CHECKPOINT_NAMES, [packed ? 'packed_indices' : 'indices', 'indices'] as const]
      .map(([part, as]) => ({ tensor: golden(part), name: `layer.${as}` }))
      .flatMap(({ tensor, name }) => (tensor ? [{ ...tensor, name }] : []));
    const layer = {
      vector_lens: [outliers > 0 ? 2 : -1, 4],
      num_centroids: [outliers > 0 ? 8 : -1, 16],
      num_res_centroids: [-1, residual],
      out_features: 32,
      group_num: groups,
      group_size: (48 - outliers) / groups,
      outlier_size: outliers,
    };
    const quantization = { quant_method: 'vptq', config_for_layers: { layer } };
    const { weightOf, refused } = await find(parts, quantization);
    expect([...refused.values()]).toEqual([]);
    const [decoded] = weightOf.values();
    expect([decoded.name, decoded.shape]).toEqual(['layer.weight', [32, 48]]);
    const expected = await valuesOf(
      tensors.find((tensor) => tensor.name === name)!,
      source,
    );
    const found = await valuesOf(decoded);
    expect([...found]).toEqual([...expected]);
  },
);
