import { readdirSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkModel } from '../../../../src/jobs/check/checkModel.js';
import { CHECKS } from '../../../../src/jobs/check/checks/index.js';
import { openModel } from '../../../../src/model/openModel.js';
import { localFileSystem } from '../../../../src/storage/node/localFileSystem.js';
import { SAMPLE } from '../../../support/checkpoints.js';
import { sharedPool } from '../../../support/sharedPool.js';
import {
  bytes,
  compressedTensors,
  floats,
  GPTQ,
  gptqTensors,
  MODULE,
  mxfp4Tensors,
  noise,
  nvfp4Tensors,
  packedTensors,
  shapeTensor,
  weights,
  words,
  writeModel,
  type Tensors,
} from '../../../support/quantizedWeights.js';

async function check(path: string) {
  return checkModel(await sharedPool(), await openModel(path, localFileSystem));
}

async function checkTensors(tensors: Tensors, config?: Readonly<Record<string, unknown>>) {
  return check(await writeModel(tensors, config));
}

function without(tensors: Tensors, suffix: string): Tensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.endsWith(suffix)));
}

const NAN_F32 = Float32Array.from({ length: 32 }, (_, i) => (i === 5 ? NaN : 0.01));
const HEAD = 'lm_head.weight';
const EMBEDDING = 'model.embed_tokens.weight';
const asBf16 = ({ bytes: all, ...rest }: ReturnType<typeof weights>) => ({
  ...rest,
  bytes: all.map((byte, i) => (i % 4 < 2 ? 0 : byte)),
});

interface Case {
  readonly id: string;
  readonly severity?: 'warning' | 'info';
  readonly what: string;
  readonly tensors: Tensors;
  readonly quantization?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tensor?: string;
  readonly says: RegExp;
  /** Others that follow from the same fault. */
  readonly also?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    ...{ id: 'gptq-zeros-version', what: 'zeros of version 2, configured as version 1' },
    ...{ tensors: gptqTensors(0x88888888), quantization: GPTQ, tensor: `${MODULE}.qzeros` },
    says: /stored as 8, which is version 2 \(checkpoint_format "gptq_v2"\)/,
  },
  {
    ...{ id: 'gptq-zeros-version', what: 'zeros of version 1, configured as version 2' },
    tensors: gptqTensors(0x77777777),
    quantization: { ...GPTQ, checkpoint_format: 'gptq_v2' },
    says: /stored as 7, which is version 1/,
  },
  {
    ...{ id: 'gptq-zero-point-wraps', severity: 'warning', what: 'zero point 0 in version 1' },
    ...{ tensors: gptqTensors(0x7777777f), quantization: { ...GPTQ, sym: false } },
    says: /4 zero points are stored as 15/,
  },
  {
    ...{ id: 'scale-not-finite', what: 'a NaN scale' },
    tensors: gptqTensors(0x77777777, { [`${MODULE}.scales`]: floats([2, 16], NAN_F32) }),
    ...{ quantization: GPTQ, tensor: `${MODULE}.scales`, says: /1 of 32 scales/ },
    also: ['weights-not-finite'],
  },
  {
    ...{ id: 'scale-not-finite', what: 'a power of two that is NaN' },
    tensors: {
      ...mxfp4Tensors([0x66]),
      [`${MODULE}.weight_scale`]: bytes('U8', [8, 16], new Uint8Array(128).fill(255, 7)),
    },
    ...{ says: /NaN or infinite/, also: ['weights-not-finite', 'mxfp4-scale-rule'] },
  },
  {
    ...{ id: 'scale-zero', what: 'scales of zero' },
    tensors: gptqTensors(0x77777777, { [`${MODULE}.scales`]: floats([2, 16], 0) }),
    ...{ quantization: GPTQ, says: /32 of 32 scales are zero/, also: ['tensor-all-zero'] },
  },
  {
    ...{ id: 'nvfp4-global-scale-reciprocal', what: 'a factor where a divisor belongs' },
    ...{ tensors: nvfp4Tensors('weight_global_scale', 1 / 5000), says: /factor of ModelOpt/ },
    tensor: `${MODULE}.weight_global_scale`,
  },
  {
    ...{ id: 'nvfp4-global-scale-reciprocal', what: 'a divisor where a factor belongs' },
    ...{ tensors: nvfp4Tensors('weight_scale_2', 5000), says: /divisor of compressed-tensors/ },
  },
  {
    ...{ id: 'packing-of-odd-widths', severity: 'info', what: 'codes without gaps' },
    ...{ tensors: packedTensors(6), quantization: compressedTensors(3) },
    says: /3-bit codes follow each other without gaps, 6 words a row/,
  },
  {
    ...{ id: 'packing-of-odd-widths', severity: 'info', what: 'codes within words' },
    ...{ tensors: packedTensors(7, {}, 0x3fffffff), quantization: compressedTensors(3) },
    says: /3-bit codes are 10 to a word, 7 words a row/,
  },
  {
    ...{ id: 'packing-of-odd-widths', what: 'bits that are set where none may be' },
    ...{ tensors: packedTensors(7), quantization: compressedTensors(3), says: /unused are set/ },
  },
  {
    ...{ id: 'weight-shape-contradicts', what: 'a shape of another weight' },
    tensors: packedTensors(8, { [`${MODULE}.weight_shape`]: shapeTensor(64, 8) }),
    quantization: compressedTensors(4),
    ...{ says: /\[64, 8\]/, also: ['weight-undecodable'] },
  },
  {
    ...{ id: 'part-missing', what: 'GPTQ without scales' },
    tensors: without(gptqTensors(0x77777777), '.scales'),
    ...{ quantization: GPTQ, tensor: `${MODULE}.qweight`, says: /\.scales of the same weight/ },
  },
  {
    ...{ id: 'part-missing', what: 'FP8 without scales' },
    tensors: {
      [`${MODULE}.weight`]: bytes(
        'F8_E4M3',
        [8, 16],
        noise(128).map((b) => b & 0x77),
      ),
    },
    ...{
      quantization: { quant_method: 'fp8' },
      says: /weight_scale/,
      also: ['weight-undecodable'],
    },
  },
  {
    ...{ id: 'part-without-codes', what: 'scales alone' },
    tensors: without(without(packedTensors(8), '.weight_packed'), '.weight_shape'),
    ...{ quantization: compressedTensors(4), says: /codes that are missing/ },
  },
  {
    ...{ id: 'zero-points-not-packed', what: 'a zero point for each scale' },
    tensors: packedTensors(8, {
      [`${MODULE}.weight_zero_point`]: bytes('I8', [8, 1], new Uint8Array(8)),
    }),
    ...{ quantization: compressedTensors(4), says: /\[8, 1\]/, also: ['weight-undecodable'] },
  },
  {
    ...{ id: 'weight-undecodable', what: 'scales of another shape' },
    tensors: packedTensors(8, { [`${MODULE}.weight_scale`]: floats([7, 1], 0.01) }),
    ...{ quantization: compressedTensors(4), tensor: `${MODULE}.weight`, says: /7 outputs/ },
  },
  {
    ...{ id: 'group-index-out-of-range', what: 'a group without scales' },
    tensors: gptqTensors(0x77777777, {
      [`${MODULE}.g_idx`]: words([64], new Uint32Array(64).fill(2)),
    }),
    ...{ quantization: GPTQ, says: /from 2 to 2/, also: ['weight-undecodable'] },
  },
  {
    ...{ id: 'codes-out-of-range', what: 'codes of 8 bits, configured as 4' },
    tensors: {
      [`${MODULE}.weight`]: bytes('I8', [8, 16], noise(128)),
      [`${MODULE}.weight_scale`]: floats([8, 1], 0.01),
    },
    ...{ quantization: compressedTensors(4), says: /4 bits \(-8 to 7\)/ },
  },
  {
    ...{ id: 'mxfp4-scale-rule', severity: 'info', what: 'rounded down or half up' },
    ...{ tensors: mxfp4Tensors([0x66, 0x07, 0x6e]), says: /4 or 6 \(128 blocks\)/ },
  },
  {
    ...{ id: 'mxfp4-scale-rule', severity: 'info', what: 'rounded up' },
    ...{ tensors: mxfp4Tensors([0x05, 0x66, 0x07, 0x6e]), says: /rounded up/ },
  },
  {
    ...{ id: 'mxfp4-scale-rule', severity: 'info', what: 'none of the rules' },
    ...{ tensors: mxfp4Tensors([0x02, 0x66]), says: /none of the usual rules/ },
  },
  {
    ...{ id: 'ignored-but-quantized', what: 'a module of the list' },
    tensors: gptqTensors(0x77777777),
    quantization: { ...GPTQ, dynamic: { '-:.*down_proj': {} } },
    ...{ tensor: `${MODULE}.weight`, says: /-:\.\*down_proj/ },
  },
  {
    ...{ id: 'ignore-list-names-nothing', severity: 'warning', what: 'names of another model' },
    tensors: packedTensors(8),
    quantization: compressedTensors(4, { ignore: ['lm_head', 'model.layers.0.mlp.in_proj_qkv'] }),
    says: /1 of 1 names .*in_proj_qkv/,
  },
  {
    ...{ id: 'unquantized-but-not-ignored', severity: 'warning', what: 'a plain linear weight' },
    tensors: packedTensors(8, { 'model.layers.0.mlp.up_proj.weight': weights([64, 8]) }),
    quantization: compressedTensors(4, { ignore: ['re:.*gate_proj', 'lm_head'] }),
    says: /stored unquantized/,
  },
  {
    ...{ id: 'weights-not-finite', what: 'NaN and infinite weights' },
    tensors: {
      [`${MODULE}.weight`]: floats([2, 3], [1, NaN, -Infinity, 2, NaN, 3]),
    },
    says: /2 NaN and 1 infinite of 6 weights/,
  },
  {
    ...{ id: 'tensor-all-zero', severity: 'warning', what: 'a matrix of zeros' },
    ...{ tensors: { [`${MODULE}.weight`]: floats([8, 8], 0) }, says: /all 64 weights are zero/ },
  },
  {
    ...{ id: 'tensor-empty', severity: 'warning', what: 'a matrix without elements' },
    ...{ tensors: { [`${MODULE}.weight`]: floats([0, 8], []) }, says: /no elements/ },
  },
  {
    ...{ id: 'f32-holds-bf16', severity: 'info', what: 'widened weights' },
    tensors: { [`${MODULE}.weight`]: asBf16(weights([32, 32])) },
    ...{ tensor: `${MODULE}.weight`, says: /2048 bytes could be saved/ },
  },
  {
    ...{ id: 'tensor-duplicated', severity: 'warning', what: 'a layer that is there twice' },
    tensors: {
      'model.layers.0.mlp.down_proj.weight': weights([16, 16]),
      'model.layers.1.mlp.down_proj.weight': weights([16, 16]),
    },
    ...{ tensor: 'model.layers.1.mlp.down_proj.weight', says: /layers\.0\.mlp/ },
  },
  {
    ...{ id: 'tied-head-differs', severity: 'warning', what: 'a head of its own' },
    tensors: { [EMBEDDING]: weights([16, 16]), [HEAD]: weights([16, 16], 2) },
    ...{ config: { tie_word_embeddings: true }, tensor: HEAD, says: /embed_tokens/ },
  },
];

test.each(CASES)('$id: $what', async (scene) => {
  const { id, severity = 'error', tensors, quantization, tensor, says, also = [] } = scene;
  const config = { ...scene.config, ...(quantization && { quantization_config: quantization }) };
  const findings = await checkTensors(tensors, config);
  const [finding, ...others] = findings.filter((each) => each.id === id);
  expect(findings).toContain(finding);
  expect(finding).toMatchObject({ severity, message: expect.stringMatching(says) });
  expect(finding.file).toBe('model.safetensors');
  if (tensor !== undefined) expect(finding.tensor).toBe(tensor);
  expect(others.length).toBe(0);
  expect([...new Set(findings.map((each) => each.id))].sort()).toEqual([id, ...also].sort());
});

test('every check has a case above or a test of its own, and a public report', () => {
  const covered = new Set([...CASES.map(({ id }) => id), 'checkpoint-incomplete']);
  expect(CHECKS.filter(({ id }) => !covered.has(id)).map(({ id }) => id)).toEqual([]);
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  for (const { source } of CHECKS) expect(source).toMatch(/^https:\/\/github\.com\/[^ ]+\/\d+$/);
});

test.each<[string, Tensors, Readonly<Record<string, unknown>>?]>([
  ['GPTQ, version 1', gptqTensors(0x77777777), GPTQ],
  ['GPTQ, version 2', gptqTensors(0x88888888), { ...GPTQ, checkpoint_format: 'gptq_v2' }],
  ['GPTQ, asymmetric', gptqTensors(0x31756284), { ...GPTQ, sym: false }],
  ['pack-quantized', packedTensors(8), compressedTensors(4, { ignore: ['lm_head'] })],
  ['NVFP4', nvfp4Tensors('weight_global_scale', 5000)],
  ['NVFP4 of ModelOpt', nvfp4Tensors('weight_scale_2', 1 / 5000)],
  [
    'embedding and head that are one',
    { [EMBEDDING]: weights([16, 16]), [HEAD]: weights([16, 16]) },
  ],
  [
    'norms and biases that are alike',
    {
      'model.layers.0.input_layernorm.weight': floats([64], 0),
      'model.layers.1.input_layernorm.weight': floats([64], 0),
      'model.layers.0.mlp.down_proj.bias': floats([64], 0),
    },
  ],
])('nothing is found in clean tensors: %s', async (_, tensors, quantization) => {
  const config = quantization && { quantization_config: quantization };
  expect(await checkTensors(tensors, config)).toEqual([]);
});

const FIXTURES = join(import.meta.dirname, '../../../fixtures');
const MODELS = ['golden-models', 'own-models'].flatMap((folder) =>
  readdirSync(join(FIXTURES, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(FIXTURES, folder, name)),
);

test('nothing is found in the sample and in the models of other tests', async () => {
  const pool = await sharedPool();
  const found: string[] = [];
  for (const path of [SAMPLE, ...MODELS]) {
    const findings = await checkModel(pool, await openModel(path, localFileSystem));
    found.push(...findings.map(({ id }) => `${path.slice(FIXTURES.length + 1)}: ${id}`));
  }
  // Made to have a head of its own.
  expect(found).toEqual(['own-models/llama-tied-both-stored: tied-head-differs']);
});

test('parts that a shard by itself lacks are no errors: they may lie in another one', async () => {
  const folder = await writeModel(without(gptqTensors(0x77777777), '.scales'));
  const shard = join(folder, 'model-00001-of-00002.safetensors');
  await rename(join(folder, 'model.safetensors'), shard);
  const findings = await check(shard);
  expect(findings.map(({ id, severity }) => [id, severity])).toEqual([['part-missing', 'warning']]);
});

test('what is found too often is counted', async () => {
  const names = Array.from({ length: 103 }, (_, i) => `model.layers.${i}.mlp.down_proj.weight`);
  const tensors = Object.fromEntries(names.map((name) => [name, floats([2, 2], 0)]));
  const findings = await checkTensors(tensors);
  expect(findings).toHaveLength(101);
  expect(findings.at(-1)).toMatchObject({ message: 'and 3 more of this kind' });
});

test('it can be cancelled', async () => {
  const model = await openModel(SAMPLE, localFileSystem);
  const controller = new AbortController();
  const running = checkModel(await sharedPool(), model, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
});
