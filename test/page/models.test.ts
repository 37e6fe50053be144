import { describe, expect, it } from 'vitest';
import { gridTree } from '../../webview/comparison/gridModel.js';
import {
  aggregate,
  groupByLayer,
  signalEnergies,
} from '../../webview/comparison/layerAggregates.js';
import { advantage, bestOf, columnFormat } from '../../webview/comparison/measures.js';
import { nextSorting, sortRows } from '../../webview/comparison/sorting.js';
import { shortNames, visibleName } from '../../webview/components/names.js';
import { formatSize, formatWeight, weightDecimals } from '../../webview/components/numbers.js';
import {
  formatDuration,
  formatExponential,
  formatFixed,
  formatShare,
  superscript,
} from '../../webview/components/numbers.js';
import { scrollToRow, visibleWindow } from '../../webview/components/windowing.js';
import { TreeModel, filterWords } from '../../webview/editor/treeModel.js';
import { sampleComparison } from './sampleComparison.js';
import { sampleCheckpoint } from './sampleModel.js';

const NONE = (): boolean => false;

describe('numbers as people read them', () => {
  it('have a true minus, grouped thousands and no negative zero', () => {
    expect(formatFixed(-1234.5, 1)).toBe('−1,234.5');
    expect(formatFixed(-0.00001, 2)).toBe('0.00');
    expect(formatExponential(-1.6449e-4)).toBe('−1.64e−4');
    expect([formatFixed(Infinity, 2), formatFixed(-Infinity, 2), formatFixed(NaN, 2)]).toEqual([
      '∞',
      '−∞',
      'NaN',
    ]);
    expect(superscript(-12)).toBe('⁻¹²');
  });

  it('give weights one precision by the largest, and an exponent where it leaves nothing', () => {
    expect(weightDecimals(0.4395)).toBe(4);
    expect(weightDecimals(1.9375)).toBe(3);
    expect(formatWeight(-0.43945, 4)).toBe('−0.4395');
    expect(formatWeight(-0.000164, 4)).toBe('−1.64e−4');
    expect(formatWeight(0, 4)).toBe('0');
  });

  it('never call a small share none', () => {
    expect(formatShare(0.0893)).toBe('8.9');
    expect(formatShare(0.0004)).toBe('< 0.1');
    expect(formatShare(0)).toBe('0.0');
  });

  it('state sizes in units of 1024 and times vaguely', () => {
    expect([512, 65_536, 393_216, 1_572_864].map(formatSize)).toEqual([
      '512 B',
      '64.0 KB',
      '384 KB',
      '1.50 MB',
    ]);
    expect([0.2, 7.4, 200, 9000].map(formatDuration)).toEqual([
      'about 1 s',
      'about 7 s',
      'about 3 min',
      'about 2.5 h',
    ]);
  });
});

describe('names', () => {
  it('keep ".weight" where it tells tensors apart', () => {
    const names = ['q_proj.weight', 'fc.weight', 'fc.bias', 'norm', 'norm.weight', 'weight'];
    expect(shortNames(names)).toEqual([
      'q_proj',
      'fc.weight',
      'fc.bias',
      'norm',
      'norm.weight',
      'weight',
    ]);
  });

  it('show what would be invisible', () => {
    expect(visibleName('a\u202Eb')).toBe('a⟨U+202E⟩b');
    expect(visibleName('')).toBe('(empty name)');
    expect(visibleName('重み 🦙')).toBe('重み 🦙');
  });
});

describe('the tree of tensors', () => {
  const [sample] = sampleCheckpoint.tensors;
  const tensor = (layer: string, nameInLayer: string) => ({
    ...sample,
    name: `model.${layer && `${layer}.`}${nameInLayer}`,
    layer,
    nameInLayer,
  });

  it('counts layers in order, embeddings first, whatever the order of the file', () => {
    const model = new TreeModel([
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

  it('writes shapes in a filter as people do', () => {
    expect(filterWords(' BF16  2,048 × 256 ')).toEqual(['bf16', '2048x256']);
    const model = new TreeModel(sampleCheckpoint.tensors);
    for (const filter of ['2048x256', '2,048×256', '2048 * 256', 'embed bf16']) {
      expect(model.view(NONE, filter).found).toEqual({
        tensors: 1,
        elements: 524_288,
        bytes: 1_048_576,
      });
    }
  });

  it('quantizes by default what quantizers touch', () => {
    const layer = new TreeModel(sampleCheckpoint.tensors).layers.get('layers.0')!;
    expect(layer.quantizable).toHaveLength(7);
  });
});

describe('long lists', () => {
  it('render the view and a margin, and scroll no more than needed', () => {
    expect(visibleWindow(2200, 220, 22, 100_000)).toEqual({ first: 90, end: 120 });
    expect(visibleWindow(0, 220, 22, 5)).toEqual({ first: 0, end: 5 });
    expect(visibleWindow(5000, 220, 22, 3)).toEqual({ first: 3, end: 3 });
    expect(scrollToRow(5, 220, 220, 22)).toBe(110);
    expect(scrollToRow(30, 220, 220, 22)).toBe(462);
    expect(scrollToRow(15, 220, 220, 22)).toBe(220);
  });
});

describe('measures of layers', () => {
  const report = sampleComparison();
  const energies = signalEnergies(report);

  it('are those of the layer quantized as a whole', () => {
    for (const { name, tensors } of groupByLayer(report)) {
      const whole = sampleComparison(128, name).formats;
      report.formats.forEach((format, i) => {
        const names = new Set(tensors.map((tensor) => tensor.name));
        const sum = aggregate(
          format.tensors.filter((tensor) => names.has(tensor.name)),
          energies,
        );
        expect(sum.sqnrDb).toBeCloseTo(whole[i].summary.sqnrDb, 9);
        expect(sum.mse / whole[i].summary.mse).toBeCloseTo(1, 12);
        expect(sum.maxAbsError).toBe(whole[i].summary.maxAbsError);
        expect(sum.rmseOverStep).toBeCloseTo(whole[i].summary.rmseOverStep, 12);
        expect(sum.underflowFraction).toBeCloseTo(whole[i].summary.underflowFraction, 12);
        expect(sum.sqnrIsLowerBound).toBe(false);
      });
    }
  });

  it('say so where a tensor without error hides its signal', () => {
    const [format] = report.formats;
    const exact = { ...format.tensors[0], mse: 0, rmse: 0, sqnrDb: Infinity };
    const others = { ...format, tensors: [exact, ...format.tensors.slice(1)] };
    const sums = (formats: (typeof report)['formats']) =>
      aggregate(others.tensors, signalEnergies({ ...report, formats }));
    expect(sums([others]).sqnrIsLowerBound).toBe(true);
    // Another format's error on the same tensor tells its signal.
    const known = sums([others, report.formats[1]]);
    expect(known.sqnrIsLowerBound).toBe(false);
    expect(known.sqnrDb).toBeGreaterThan(sums([others]).sqnrDb);
    expect(aggregate([exact], new Map()).sqnrDb).toBe(Infinity);
  });

  it('stand in a tree under names without what all share', () => {
    const root = gridTree(report);
    expect(root.children.map(({ label }) => label)).toEqual([
      ...['layers.0', 'layers.1', 'layers.2', 'layers.3'],
    ]);
    expect(root.children[0].children[6].label).toBe('mlp.down_proj');
  });
});

describe('columns of measures', () => {
  it('have one unit and one precision', () => {
    const mse = columnFormat('mse', [3.504e-5, 4.26e-5, 1.612e-4]);
    expect([mse.unit, mse.text(3.504e-5), mse.text(1.612e-4)]).toEqual(['10⁻⁵', '3.50', '16.12']);
    const wide = columnFormat('mse', [3.5e-5, 0.2, 0]);
    expect([wide.unit, wide.text(3.5e-5), wide.text(0)]).toEqual(['', '3.50e−5', '0']);
    const size = columnFormat('sizeBytes', [1_634_304, 1_671_168]);
    expect([size.unit, size.text(1_634_304)]).toEqual(['KB', '1,596']);
    expect(columnFormat('sizeBytes', [2 ** 31]).unit).toBe('GB');
    expect(columnFormat('sqnrDb', []).text(undefined)).toBe('–');
  });

  it('rank by what is better, and not where nothing is', () => {
    expect(bestOf('sqnrDb', [19, 20, undefined])).toBe(20);
    expect(bestOf('mse', [3, 2])).toBe(2);
    expect(bestOf('mse', [2, 2])).toBeUndefined();
    expect(bestOf('rmseOverStep', [0.28, 0.3])).toBeUndefined();
    expect(advantage('sqnrDb', 20, 19)).toBeCloseTo(1, 12);
    expect(advantage('mse', 1e-5, 1e-4)).toBeCloseTo(10, 12);
    expect(advantage('underflowFraction', 0.2, 0.1)).toBeCloseTo(-0.1, 12);
  });

  it('sort with what is unknown at the end, both ways', () => {
    const values = [3, undefined, Infinity, 1, NaN];
    const sorted = (direction: 'ascending' | 'descending') =>
      sortRows(
        values,
        (value) => value,
        direction,
        () => 0,
      );
    expect(sorted('ascending')).toEqual([1, 3, Infinity, undefined, NaN]);
    expect(sorted('descending')).toEqual([Infinity, 3, 1, undefined, NaN]);
    const once = nextSorting(undefined, 'mse', 'ascending');
    const twice = nextSorting(once, 'mse', 'ascending');
    expect([once?.direction, twice?.direction, nextSorting(twice, 'mse', 'ascending')]).toEqual([
      'ascending',
      'descending',
      undefined,
    ]);
  });
});
