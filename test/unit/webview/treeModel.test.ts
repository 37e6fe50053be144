import { describe, expect, it } from 'vitest';
import { describeQuantization } from '../../../src/checkpoint/quantizable.js';
import { describeLayers } from '../../../src/jobs/inspection/describeLayers.js';
import type { TensorReport } from '../../../src/reports/reports.js';
import {
  TreeModel,
  filterWords,
  quantizableTensors,
  rowKey,
  type TreeRow,
} from '../../../webview/editor/treeModel.js';
import { sampleCheckpoint } from '../../support/sampleModel.js';

const treeOf = (tensors: readonly TensorReport[]): TreeModel =>
  new TreeModel({ tensors, layers: describeLayers(tensors) });
const NONE = (): boolean => false;

describe('the tree of tensors', () => {
  const [sample] = sampleCheckpoint.tensors;
  const tensor = (layer: string, nameInLayer: string) => {
    const name = `model.${layer && `${layer}.`}${nameInLayer}`;
    return { ...sample, ...describeQuantization({ ...sample, name }), name, layer, nameInLayer };
  };

  it('counts layers in order, embeddings first, whatever the order of the file', () => {
    const model = treeOf([
      tensor('', 'norm.weight'),
      tensor('layers.10', 'a'),
      tensor('layers.2', 'b'),
      tensor('layers.2', 'a'),
      tensor('', 'embed_tokens.weight'),
      tensor('vision.blocks.1', 'a'),
    ]);
    const { rows } = model.view((layer) => layer === 'layers.2', '');
    const labels = rows.map((row) =>
      row.kind === 'layer' ? row.layer.name : `${'·'.repeat(row.level - 1)}${row.listName}`,
    );
    expect(labels).toEqual([
      'embed_tokens.weight',
      ...['layers.2', '·b', '·a', 'layers.10', 'vision.blocks.1'],
      'norm.weight',
    ]);
    expect(rows.map(({ position, siblings }) => `${position}/${siblings}`)).toEqual([
      ...['1/5', '2/5', '1/2', '2/2', '3/5', '4/5', '5/5'],
    ]);
  });

  it('puts the head of GPT-NeoX last, though its name says "embed"', () => {
    const model = treeOf([
      tensor('', 'embed_out.weight'),
      tensor('layers.0', 'attention.dense.weight'),
      tensor('', 'final_layer_norm.weight'),
      tensor('', 'embed_in.weight'),
    ]);
    expect(model.view(NONE, '').rows.map((row) => rowKey(row).name)).toEqual([
      'model.embed_in.weight',
      'layers.0',
      'model.embed_out.weight',
      'model.final_layer_norm.weight',
    ]);
  });

  /** Tensors that are parts of one weight. */
  const parts = (layer: string, module: string, ends: readonly string[]) =>
    ends.map((end) => ({
      ...tensor(layer, `${module}.${end}`),
      notQuantizable: 'a part',
      partOf: { weight: `model.${layer && `${layer}.`}${module}.weight`, label: 'EXL2' },
    }));

  const lines = (rows: readonly TreeRow[]) =>
    rows.map((row) => {
      const name = row.kind === 'layer' ? row.layer.name : row.listName;
      const count = row.kind === 'tensor' ? '' : ` (${row.matches})`;
      return `${'·'.repeat(row.level - 1)}${name}${count} ${row.position}/${row.siblings}`;
    });

  it('folds the parts of a weight that cannot be decoded beneath it', () => {
    const [codes, scales] = parts('layers.0', 'q_proj', ['q_weight', 'q_scale']);
    const model = treeOf([
      codes,
      tensor('layers.0', 'norm.weight'),
      scales,
      ...parts('layers.0', 'k_proj', ['blocks']),
      ...parts('', 'embed_tokens', ['q_weight', 'q_scale']),
      tensor('', 'norm.weight'),
    ]);
    const view = (open: readonly string[], filter = '') =>
      model.view((name) => open.includes(name), filter);
    const q = 'model.layers.0.q_proj.weight';
    expect(lines(view([]).rows)).toEqual([
      ...['model.embed_tokens.weight (2) 1/3', 'layers.0 (4) 2/3', 'norm.weight 3/3'],
    ]);
    expect(lines(view(['layers.0']).rows).slice(2, -1)).toEqual([
      ...['·q_proj (2) 1/3', '·norm 2/3', '·k_proj.blocks 3/3'],
    ]);
    expect(lines(view(['layers.0', q, 'model.embed_tokens.weight']).rows)).toEqual([
      ...['model.embed_tokens.weight (2) 1/3', '·q_weight 1/2'],
      ...['·q_scale 2/2', 'layers.0 (4) 2/3', '·q_proj (2) 1/3'],
      ...['··q_weight 1/2', '··q_scale 2/2', '·norm 2/3', '·k_proj.blocks 3/3'],
      'norm.weight 3/3',
    ]);
    // The weight's name finds its parts, whose elements are no weights.
    const found = view(['layers.0', q], 'q_proj.weight scale');
    expect(lines(found.rows)).toEqual([
      ...['layers.0 (1) 1/1', '·q_proj (1) 1/1', '··q_scale 1/1'],
    ]);
    expect(found.found).toEqual({ tensors: 1, elements: 0, bytes: scales.bytes });
    expect(model.branchesOf(scales)).toEqual(['layers.0', q]);
    expect(model.branchesOf(tensor('', 'norm.weight'))).toEqual([]);
    expect(rowKey(found.rows[1])).toEqual({ kind: 'weight', name: q });
  });

  it('writes shapes in a filter as people do', () => {
    expect(filterWords(' BF16  2,048 × 256 ')).toEqual(['bf16', '2048x256']);
    const model = new TreeModel(sampleCheckpoint);
    for (const filter of ['2048x256', '2,048×256', '2048 * 256', 'embed bf16']) {
      expect(model.view(NONE, filter).found).toEqual({
        tensors: 1,
        elements: 524_288,
        bytes: 1_048_576,
      });
    }
  });

  it('quantizes by default what quantizers touch', () => {
    const layer = new TreeModel(sampleCheckpoint).layers.get('layers.0')!;
    expect(quantizableTensors(layer)).toHaveLength(7);
  });
});
