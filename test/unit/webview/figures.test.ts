import { describe, expect, it } from 'vitest';
import { gridTree } from '../../../webview/comparison/gridModel.js';
import { axisTitle, layerContent } from '../../../webview/comparison/layerFigure.js';
import { paretoContent, paretoPoints } from '../../../webview/comparison/paretoFigure.js';
import type { Theme } from '../../../webview/components/theme.js';
import { asymmetryContent, asymmetryHint } from '../../../webview/editor/asymmetryFigure.js';
import { sampleComparison } from '../../support/sampleComparison.js';
import { withSamplePerplexity } from '../../support/samplePerplexity.js';

const report = sampleComparison();
/** Colours do not matter here. */
const THEME = {
  foreground: '#fff',
  background: '#000',
  positive: '#08f',
  negative: '#f80',
} as Theme;

describe('the chart of asymmetry', () => {
  const asymmetry = {
    mean: -0.1,
    p50: -0.05,
    p95: 0.2,
    absolute: { p50: 0.1, p95: 0.4 },
    histogram: [0, 3, 5, 0],
  };

  it('tells quantiles of the magnitude from those with sign', () => {
    expect(asymmetryHint(asymmetry)).toBe(
      '|asymmetry| p50 0.100, p95 0.400 (dotted); with sign: mean −0.100, p50 −0.050, p95 +0.200',
    );
    expect(asymmetryContent(asymmetry).finding).toBe(
      'Asymmetry of groups: |asymmetry| p50 0.100, p95 0.400; ' +
        'with sign: mean −0.100, p50 −0.050, p95 +0.200',
    );
  });

  it('marks the 95 % quantile of the magnitude on both sides', () => {
    const { shapes } = asymmetryContent(asymmetry).figure(THEME, 400).layout;
    expect(shapes!.map(({ x0 }) => x0)).toEqual([-0.4, 0.4]);
  });
});

describe('the chart by layer', () => {
  const root = gridTree(report);

  it('draws the reported totals, and names what nothing can be drawn of', () => {
    const chart = {
      report,
      root,
      measure: 'mse',
      marks: 'bars',
      hidden: new Set<string>(),
    } as const;
    expect(axisTitle(chart)).toMatch(/^MSE, 10⁻\S+, lower is better$/);
    const { data } = layerContent(chart).figure(THEME, 800);
    const divisor =
      10 **
      Math.floor(
        Math.log10(
          Math.min(...report.formats.flatMap(({ layers }) => layers.map(({ mse }) => mse))),
        ),
      );
    data.forEach((series, format) => {
      const y = (series as { y: number[] }).y.map((value) => value * divisor);
      report.formats[format].layers.forEach(({ mse }, i) => expect(y[i] / mse).toBeCloseTo(1, 12));
    });
  });

  it('labels what stands side by side by what tells it apart', () => {
    const labelsOf = (names: readonly string[]): unknown => {
      const [format] = report.formats;
      const tensors = names.map((nameInLayer, i) => ({
        ...format.tensors[i],
        name: `h.0.${nameInLayer}`,
        layer: 'h.0',
        nameInLayer,
      }));
      const layers = [{ ...format.layers[0], layer: 'h.0' }];
      const layer = { ...report, formats: [{ ...format, layers, tensors }] };
      const chart = {
        report: layer,
        root: gridTree(layer),
        measure: 'mse',
        marks: 'bars',
        hidden: new Set<string>(),
      } as const;
      return layerContent(chart).figure(THEME, 800).layout.xaxis!.ticktext;
    };
    expect(
      labelsOf([
        'attn.c_attn.weight',
        'attn.c_proj.weight',
        'mlp.c_proj.weight',
        'mlp.a_very_long_projection.weight',
      ]),
    ).toEqual(['c_attn', 'attn.c_proj', 'mlp.c_proj', '…long_projection']);
  });

  it('leaves a gap where there is no error', () => {
    const [format] = report.formats;
    const layers = format.layers.map((layer, i) =>
      i === 1 ? { ...layer, sqnrDb: Infinity } : layer,
    );
    const exact = { ...report, formats: [{ ...format, layers }] };
    const chart = {
      report: exact,
      root: gridTree(exact),
      measure: 'sqnrDb',
      marks: 'dots',
      hidden: new Set<string>(),
    } as const;
    const content = layerContent(chart);
    const [series] = content.figure(THEME, 800).data as unknown as { y: (number | null)[] }[];
    expect(series.y[1]).toBeNull();
    expect(series.y[0]).toBe(layers[0].sqnrDb);
    expect(content.readout!.describe(1)).toContain('∞');
  });
});

it('perplexity against size keeps on the front what nothing beats in both', () => {
  const measured = withSamplePerplexity(report);
  const points = paretoPoints(measured.formats);
  expect(points.map(({ bits }) => bits)).toEqual(
    points.map(({ bits }) => bits).toSorted((a, b) => a - b),
  );
  for (const { bits, perplexity, onFront } of points) {
    const beaten = points.some(
      (other) => other.bits <= bits && other.perplexity.value < perplexity.value,
    );
    expect(onFront).toBe(!beaten);
  }
  expect(paretoContent({ ...measured, formats: measured.formats.slice(0, 1) })).toBeUndefined();
});
