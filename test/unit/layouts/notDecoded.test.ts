import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TERMINAL_BOUNDS, formatInspection } from '../../../src/cli/inspectText.js';
import {
  describeForInspection,
  describeModel,
} from '../../../src/jobs/inspection/describeModel.js';
import { listModel } from '../../../src/jobs/inspection/listModel.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { summarizeModel } from '../../../src/jobs/summarizeModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { nameStorage } from '../../../src/reports/storedAs.js';
import type { ElementTypeName } from '../../../src/storage/elementTypes.js';
import { runAtOnce } from '../../../src/storage/slices.js';
import { memoryFiles } from '../../support/memoryFileSystem.js';
import { fileOf, SCENES, type ScenePart } from '../../support/storedWeightScenes.js';

type Parts = Readonly<Record<string, readonly [ElementTypeName, readonly number[]]>>;

/** Tensors of one linear layer of 128 inputs and 128 outputs, as the code that writes them names them. */
const CASES: readonly (readonly [label: string, method: string, parts: Parts])[] = [
  [
    'Quanto',
    'quanto',
    {
      'weight._data': ['I8', [128, 128]],
      'weight._scale': ['BF16', [128, 1]],
      input_scale: ['BF16', []],
      output_scale: ['BF16', []],
    },
  ],
  [
    'Quanto',
    'quanto',
    {
      'weight._data._data': ['U8', [64, 128]],
      'weight._scale': ['BF16', [128, 1]],
      'weight._shift': ['BF16', [128, 1]],
    },
  ],
  [
    'EXL2',
    'exl2',
    {
      q_weight: ['I32', [16, 128]],
      q_invperm: ['I16', [128]],
      q_scale: ['I32', [4, 16]],
      q_scale_max: ['F16', [4]],
      q_groups: ['I16', [8]],
    },
  ],
  [
    'EXL3',
    'exl3',
    { trellis: ['I16', [8, 8, 48]], suh: ['F16', [128]], svh: ['F16', [128]], mcg: ['I32', []] },
  ],
  [
    'QTIP',
    'qtip',
    {
      trellis: ['I16', [64, 32]],
      SU: ['F16', [128]],
      SV: ['F32', [128]],
      tlut: ['F16', [512, 2]],
      rcp: ['I64', []],
      tp_rank: ['I64', []],
    },
  ],
  [
    'QuIP#',
    'quip',
    {
      Qidxs: ['I16', [128, 16]],
      SU: ['F16', [128]],
      SV: ['F16', [128]],
      Wscale: ['F32', []],
      codebook_id: ['I64', []],
    },
  ],
  [
    'AQLM',
    'aqlm',
    {
      codes: ['I16', [128, 16, 1]],
      codebooks: ['F16', [1, 65536, 1, 8]],
      scales: ['F16', [128, 1, 1, 1]],
    },
  ],
  [
    'HQQ',
    'hqq',
    {
      W_q: ['U8', [64, 128]],
      scale: ['F16', [256, 1]],
      zero: ['F16', [256, 1]],
      nbits: ['I32', []],
      shape: ['I32', [2]],
      packing: ['U8', [7]],
    },
  ],
  [
    'SpQR',
    'spqr',
    {
      dense_weights: ['I64', [1024]],
      row_offsets: ['I32', [129]],
      col_vals: ['I32', [10]],
      in_perm: ['I32', [64]],
    },
  ],
  ['Marlin', 'marlin', { B: ['I32', [8, 256]], s: ['F16', [1, 128]] }],
  [
    'QQQ',
    'qqq',
    { B: ['I32', [8, 256]], s_channel: ['F32', [1, 128]], s_group: ['F16', [1, 128]] },
  ],
  [
    'Marlin 2:4',
    'compressed-tensors',
    { weight_packed: ['I32', [4, 256]], scale_packed: ['F16', [1, 128]], meta: ['I16', [128, 8]] },
  ],
  [
    'FP-Quant',
    'fp_quant',
    {
      qweight: ['U8', [128, 64]],
      scales: ['U8', [128, 4]],
      forward_hadamard_matrix: ['BF16', [32, 32]],
      backward_hadamard_matrix: ['BF16', [32, 32]],
      weight_global_scale: ['F32', []],
    },
  ],
  [
    'HIGGS',
    'higgs',
    {
      weight: ['I16', [32, 128]],
      scales: ['F16', [128, 1]],
      tables: ['F16', [16]],
      tables2: ['F32', [16, 16, 1]],
    },
  ],
  ['EETQ', 'eetq', { weight: ['I8', [128, 128]], weight_scales: ['F16', [128]] }],
  ['BitNet', 'bitnet', { weight: ['U8', [32, 128]], weight_scale: ['BF16', [1]] }],
  [
    'torchao',
    'torchao',
    {
      _weight_qdata: ['U8', [128, 64]],
      _weight_scale: ['BF16', [1, 128]],
      _weight_zero_point: ['BF16', [1, 128]],
    },
  ],
  ['torchao', 'torchao', { 'weight:qdata': ['F8_E4M3', [128, 128]], 'weight:scale': ['F32', [1]] }],
  ['an unknown layout', 'new', { weight: ['I8', [128, 128]], scales: ['BF16', [128]] }],
  [
    'an unknown layout',
    'new',
    { qweight: ['I8', [128, 64]], s1_scales: ['F16', [128]], s1_szeros: ['F16', [128]] },
  ],
];

const LAYER = 'model.layers.0';
const WEIGHT = `${LAYER}.mlp.up_proj.weight`;

async function open(parts: Parts, config: unknown) {
  const named = Object.entries(parts).map(([name, [dtype, shape]]): [string, ScenePart] => [
    `${LAYER}.mlp.up_proj.${name}`,
    { dtype, shape },
  ]);
  const rest: Readonly<Record<string, ScenePart>> = {
    [`${LAYER}.mlp.up_proj.bias`]: { dtype: 'F16', shape: [128] },
    [`${LAYER}.mlp.down_proj.weight`]: { dtype: 'F16', shape: [128, 128] },
  };
  const files = memoryFiles({
    'model.safetensors': fileOf({ ...Object.fromEntries(named), ...rest }),
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
  });
  return openModel('memory:/model/model.safetensors', files);
}

describe('a weight that is stored in a layout that is not decoded', () => {
  test.each(CASES)('%s (%s) is said everywhere, and its parts are no weights', async (...each) => {
    const [label, method, parts] = each;
    const model = await open(parts, { quantization_config: { quant_method: method } });
    const own = model.tensors.filter(({ partOf }) => partOf);
    expect(own).toHaveLength(Object.keys(parts).length);
    for (const part of own) {
      expect(part.partOf).toEqual({ weight: WEIGHT, label });
      expect(part.notQuantizable).toContain('which are not decoded');
      expect(part.quantizedByDefault).toBe(false);
      expect(nameStorage(part)).toBe(`${part.dtype} of ${label}, not decoded`);
      expect(describeForInspection(part).partOf).toEqual({ weight: WEIGHT, label });
    }
    expect(model.undecodable.get(WEIGHT)).toContain(`${label}: `);
    expect(model.notes).toHaveLength(1);
    expect(model.notes[0].message).toContain(`"${WEIGHT}" is stored in a way that cannot be`);
    expect(model.notes[0].message).toContain(label);

    const report = describeModel(model);
    expect(report.totalElements).toBe(128 + 128 * 128);
    expect(report.layers[0].elements).toBe(128 + 128 * 128);
    expect(report.layers[0].quantizable).toEqual([`${LAYER}.mlp.down_proj.weight`]);
    const targets = model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
    const summary = summarizeModel(model, targets);
    expect(summary.parameters).toBe(128 + 128 * 128);
    expect(summary.notes.join('\n')).toContain('1 matrix of weights that cannot be decoded');

    const listing = runAtOnce(listModel(model, model.tensors, TERMINAL_BOUNDS));
    const text = formatInspection({ path: 'm', files: 1, metadata: {} }, listing);
    expect(text).toContain('16,512 weights and 1 matrix that cannot be decoded');
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.startsWith('  mlp.up_proj.weight '));
    expect(lines[at]).toContain(`${label}, not decoded`);
    const beneath = lines.slice(at + 1, at + 1 + own.length);
    for (const line of beneath) expect(line).toMatch(/^ {4}mlp\.up_proj\./);
  });

  test('GPTQ in the order of Marlin is refused, as AutoGPTQ marks it', async () => {
    const { parts, quantization } = SCENES.find(({ what }) => what === 'GPTQ')!;
    const config = { quantization_config: { ...quantization, is_marlin_format: true } };
    const files = memoryFiles({
      'model.safetensors': fileOf(parts),
      'config.json': new TextEncoder().encode(JSON.stringify(config)),
    });
    const { undecodable } = await openModel('memory:/model/model.safetensors', files);
    expect(undecodable.get('m.weight')).toMatch(/GPTQ .*Marlin's order/);
  });

  test('names that are used for something else are no parts', async () => {
    const model = await open(
      {
        weight: ['F16', [128, 128]],
        codes: ['I32', [4, 4]],
        trellis: ['I16', [4, 4]],
        B: ['F16', [4, 4]],
        s: ['F16', [4]],
        scale: ['F16', [4]],
      },
      {},
    );
    expect(model.tensors.filter(({ partOf }) => partOf)).toEqual([]);
    expect(model.notes).toEqual([]);
  });
});

describe('a configuration that calls the weights quantized', () => {
  const plain: Parts = { weight: ['F16', [128, 128]] };

  test('is said where no weight is stored in a layout that is known', async () => {
    const { notes } = await open(plain, { quantization_config: { quant_method: 'brand-new\n' } });
    expect(notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^config\.json says .*quant_method "brand-new\\u\{a\}".* are the stored ones$/,
      ),
    ]);
  });

  test('is no matter where there is none, or where one shard was opened by itself', async () => {
    expect((await open(plain, { model_type: 'llama' })).notes).toEqual([]);
    const config = { quantization_config: { quant_method: 'awq' } };
    const files = memoryFiles({
      'model-00001-of-00002.safetensors': fileOf({ 'm.weight': { dtype: 'F16', shape: [8, 8] } }),
      'config.json': new TextEncoder().encode(JSON.stringify(config)),
    });
    const { notes } = await openModel('memory:/model/model-00001-of-00002.safetensors', files);
    expect(notes.map(({ message }) => message).join('\n')).not.toContain('quantized');
  });
});

describe('a model that is plain, or stored in a layout that is decoded', () => {
  const fixtures = join(import.meta.dirname, '../../fixtures');

  test.each(['golden-models', 'own-models', 'stored', 'golden'])(
    '%s: nothing is called undecodable',
    async (folder) => {
      const entries = await readdir(join(fixtures, folder), { recursive: true });
      const files = entries.filter((name) => name.endsWith('.safetensors'));
      expect(files.length).toBeGreaterThan(0);
      for (const name of files) {
        const { tensors, notes } = await openLocalModel(join(fixtures, folder, name));
        expect(tensors.filter(({ partOf }) => partOf).map((part) => part.name)).toEqual([]);
        const said = notes.map(({ message }) => message).join('\n');
        expect(said, name).not.toMatch(/decoded \(|weights are quantized/);
      }
    },
  );
});

describe('jobs on a model whose linear weights are all in a layout that is not decoded', () => {
  const exl2: Parts = {
    q_weight: ['I32', [16, 128]],
    q_scale: ['I32', [4, 16]],
    q_groups: ['I16', [8]],
  };
  const reason = /mlp\.up_proj\.weight" is stored in a way that cannot be decoded \(EXL2: /;

  async function alone() {
    const model = await open(exl2, {});
    return { ...model, tensors: model.tensors.filter(({ name }) => !name.includes('down_proj')) };
  }

  test('say so, also where the weight is asked for by its name', async () => {
    const model = await alone();
    expect(() => selectTensors(model, {})).toThrow(reason);
    expect(() => selectTensors(model, { tensorGlobs: ['*up_proj.weight'] })).toThrow(reason);
    expect(() => selectTensors(model, { tensors: [WEIGHT] })).toThrow(reason);
    const part = WEIGHT.replace(/weight$/, 'q_scale');
    expect(() => selectTensors(model, { tensors: [part] })).toThrow(/a part of ".*EXL2/);
  });
});
