import { describe, expect, it } from 'vitest';
import { nameLayers } from '../../../src/checkpoint/layers.js';
import { gridTree, flatRows } from '../../../webview/comparison/gridModel.js';
import { sampleComparison } from '../../support/sampleComparison.js';
import { withSamplePerplexity } from '../../support/samplePerplexity.js';

const report = sampleComparison();

describe('the rows of a comparison', () => {
  it('hold what is reported of all weights, of layers and of tensors', () => {
    const root = gridTree(report);
    report.formats.forEach(({ summary, layers, tensors }, format) => {
      expect(root.cells[format]).toMatchObject(summary);
      expect(root.children.map(({ cells }) => cells[format])).toEqual(layers);
      const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      for (const { name, cells } of flatRows(root)) {
        expect(cells[format]).toMatchObject(byName.get(name)!);
      }
    });
    expect(flatRows(root)).toHaveLength(28);
    expect(root.children[0].children[6].label).toBe('mlp.down_proj');
  });

  it('count layers, and keep what is outside of them under the name that the host gives', () => {
    const names = ['m.h.10.a.weight', 'm.h.2.a.weight', 'm.h.2.b.weight', 'm.embed.weight', 'head'];
    const placeOf = nameLayers(names);
    const [format] = report.formats;
    const tensors = names.map((name) => ({ ...format.tensors[0], name, ...placeOf(name) }));
    const layers = [2, 10].map((at) => ({ ...format.layers[0], layer: `h.${at}` }));
    const root = gridTree({ ...report, formats: [{ ...format, tensors, layers }] });
    expect(root.children.map(({ kind, label }) => [kind, label])).toEqual([
      ['tensor', 'embed.weight'],
      ['layer', 'h.2'],
      ['layer', 'h.10'],
      ['tensor', 'head'],
    ]);
    expect(root.children[1].children.map(({ label }) => label)).toEqual(['a', 'b']);
  });

  it('leave out what a report does not have', () => {
    const [first, second] = report.formats;
    const fewer = { ...second, tensors: second.tensors.slice(7), layers: second.layers.slice(1) };
    const root = gridTree({ ...report, formats: [first, fewer] });
    expect(root.children[0].cells[0]).toEqual(first.layers[0]);
    expect(root.children[0].cells[1]).toBeUndefined();
    expect(root.children[0].children[0].cells[1]).toBeUndefined();
    expect(root.children[1].cells[1]).toEqual(second.layers[1]);
  });

  it('carry perplexity deltas: measured of all and of single tensors, a sum of layers', () => {
    const root = gridTree(withSamplePerplexity(report, {}, true));
    expect(root.cells[0]!.delta).toMatchObject({ value: 0.39, measured: { tokens: 43_350 } });
    const [layer] = root.children;
    const alone = layer.children.map(({ cells }) => cells[0]!.delta!.value);
    expect(layer.cells[0]!.delta!.value).toBeCloseTo(
      alone.reduce((sum, delta) => sum + delta, 0),
      12,
    );
    expect(layer.cells[0]!.delta!.measured).toBeUndefined();
    expect(gridTree(report).cells[0]!.delta).toBeUndefined();
  });
});
