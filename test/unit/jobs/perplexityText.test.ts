import { describe, expect, test } from 'vitest';
import { formatComparison } from '../../../src/cli/comparisonText.js';
import { formatPerplexity } from '../../../src/cli/perplexityText.js';
import type { Perplexity } from '../../../src/model/scores/perplexity.js';
import { formatComparisonCsv, formatReportJson } from '../../../src/reports/present.js';
import type { MeasuredPerplexity } from '../../../src/jobs/perplexity/measurement.js';
import { measures } from '../../support/measures.js';
import { mergePerplexity, dropPerplexity } from '../../../src/jobs/comparison/compareFormats.js';
import type {
  ComparisonReport,
  PerplexityReport,
  PerplexityText,
  TensorComparison,
} from '../../../src/reports/reports.js';

const model = {
  path: '/m/model.safetensors',
  architecture: 'LlamaForCausalLM',
  parameters: 4096,
  quantizableParameters: 768,
  notes: [],
  dtype: 'BF16',
};

const text: PerplexityText = {
  source: '/m/eval\u001b[2J.txt',
  bundled: false,
  protocol: 'stream',
  context: 256,
  windows: 170,
  tokens: 43350,
  totalTokens: 43607,
};

const baseline: Perplexity = {
  value: 27.56649,
  nll: 3.3166,
  standardError: 0.53219,
  tokens: 43350,
  deltaVsBaseline: 0,
  deltaStandardError: 0,
  confidence: 0.4,
};

function changed(delta: number, more: Partial<Perplexity> = {}): Perplexity {
  return {
    ...baseline,
    value: baseline.value + delta,
    deltaVsBaseline: delta,
    deltaStandardError: 0.0312,
    klDivergence: 0.0142,
    reverseKlDivergence: 0.0153,
    cakld: 0.0146,
    confidence: 0.4,
    topTokenAgreement: 0.9312,
    ...more,
  };
}

/** A line of a table as its cells. */
function cells(output: string, beginning: string): string[] {
  const line = output.split('\n').find((each) => each.startsWith(beginning));
  return line?.split(/ {2,}/) ?? [];
}

describe('the table of perplexity', () => {
  const report: PerplexityReport = {
    model,
    text,
    baseline: { perplexity: baseline },
    formats: [
      {
        id: 'int4-asym:g128',
        label: 'INT4',
        bitsPerWeight: 4.15625,
        approximate: false,
        reconstructed: false,
        notes: ['of one'],
        perplexity: changed(0.39221),
      },
      {
        id: 'int2-asym:g128',
        label: 'INT2',
        bitsPerWeight: 2.14,
        approximate: false,
        reconstructed: false,
        notes: [],
        perplexity: changed(1e6, { standardError: null, deltaStandardError: null }),
      },
    ],
    notes: ['of all'],
    timings: {
      tokenizeSeconds: 0,
      forwardSeconds: 1,
      totalSeconds: 1.5,
      peakRssBytes: 1,
      backend: 'wasm',
      threads: 2,
    },
  };
  const output = formatPerplexity(report, 'f32');

  test('says what was scored, and how', () => {
    expect(output).toContain(
      '/m/eval\\u{1b}[2J.txt: stream, 170 windows of 256 tokens; 43,350 of 43,607 tokens scored; scales in F32',
    );
    const documents = { ...text, protocol: 'per-document', separator: '<|e|>\n', windows: 1 };
    expect(
      formatPerplexity({ ...report, text: documents as PerplexityText, formats: [] }, 'f32'),
    ).toContain('per document, separator "<|e|>\\n", 1 window of at most 256 tokens; 43,350 of');
  });

  test('has a row for the unquantized model and each format', () => {
    expect(cells(output, 'unquantized')).toEqual(['unquantized', '27.5665', '0.5322']);
    expect(cells(output, 'int4-asym:g128')).toEqual([
      'int4-asym:g128',
      '4.156',
      '27.9587',
      '0.5322',
      '+0.3922',
      '0.0312',
      '0.0142',
      '0.0153',
      '0.0146',
      '93.1',
    ]);
    expect(cells(output, 'int2-asym:g128').slice(2, 6)).toEqual(['1.00e+6', '–', '+1.00e+6', '–']);
  });

  test('ends with what to know', () => {
    expect(output).toContain('\nint4-asym:g128: of one\n');
    expect(output).toContain('\nof all\n');
    expect(output).toMatch(/\n1\.50 s, wasm, 2 threads\n$/);
  });
});

describe('a comparison with perplexities', () => {
  const tensor = (name: string): TensorComparison => ({
    name,
    layer: '',
    nameInLayer: name,
    transposed: false,
    sumSquares: 8,
    shape: [2, 4],
    parameters: 8,
    ...measures({ mse: 1, rmse: 1, underflowMse: 0.25 }),
  });
  const plain: ComparisonReport = {
    model,
    baseline: {},
    formats: ['int4-asym:g128', 'nf4:g128'].map((id) => ({
      id,
      label: id,
      bitsPerWeight: 4,
      approximate: false,
      reconstructed: false,
      notes: [],
      layers: [],
      summary: { ...tensor(''), parameters: 32, tensors: 4, sizeBytes: 8 },
      tensors: ['a', 'b', 'c', 'd'].map(tensor),
    })),
    notes: [],
    timings: {
      readSeconds: 0,
      quantizeSeconds: 0,
      forwardSeconds: 0,
      totalSeconds: 1,
      peakRssBytes: 1,
      backend: 'wasm',
      threads: 1,
    },
  };
  const measured: MeasuredPerplexity = {
    text,
    baseline,
    formats: [
      { whole: changed(1), alone: [0.1, NaN, 0.4, -0.2].map((delta) => changed(delta)) },
      { whole: changed(2, { standardError: null }), alone: [] },
    ],
    notes: ['of the text'],
    tokenizeSeconds: 1,
    forwardSeconds: 2,
    peakRssBytes: 1,
    backend: 'wasm',
    threads: 1,
  };
  const report = mergePerplexity(plain, measured, 3);

  test('carries them in the JSON of the contract', () => {
    const json = JSON.parse(formatReportJson(report));
    expect(json.baseline.perplexity.value).toBe(27.56649);
    expect(json.formats[1].perplexity).toMatchObject({ deltaVsBaseline: 2, standardError: null });
    expect(json.formats[0].tensors[2].perplexityAlone.deltaVsBaseline).toBe(0.4);
    expect(json.formats[1].tensors[2]).not.toHaveProperty('perplexityAlone');
    expect(json.notes).toEqual(['of the text']);
    expect(json.timings.forwardSeconds).toBe(2);
  });

  test('says why what ran the model did, and not why the weights were computed elsewhere', () => {
    const backendReason = 'about 1 s on A card, 3 s on 2 threads';
    const onGpu = { ...plain, timings: { ...plain.timings, backend: 'webgpu', backendReason } };
    expect(mergePerplexity(onGpu, measured, 3).timings).toMatchObject({
      backend: 'wasm',
      backendReason: undefined,
    });
    const both = { ...measured, backend: 'webgpu' };
    expect(mergePerplexity(onGpu, both, 3).timings).toMatchObject({
      backend: 'webgpu',
      backendReason,
    });
  });

  test('adds columns to the CSV, and none where nothing was measured', () => {
    const lines = formatComparisonCsv(report).trimEnd().split('\r\n');
    expect(lines[0]).toMatch(
      /,nonFinite,perplexity,perplexityStandardError,deltaVsBaseline,deltaStandardError,klDivergence,topTokenAgreement,reverseKlDivergence,cakld$/,
    );
    expect(new Set(lines.map((line) => line.split(',').length)).size).toBe(1);
    expect(lines[1]).toMatch(/,28\.56649,0\.53219,1,0\.0312,0\.0142,0\.9312,0\.0153,0\.0146$/);
    expect(lines[2]).toMatch(
      /,27\.66649\d*,0\.53219,0\.1,0\.0312,0\.0142,0\.9312,0\.0153,0\.0146$/,
    );
    expect(lines[6]).toMatch(/,29\.56649,,2,0\.0312,0\.0142,0\.9312,0\.0153,0\.0146$/);
    expect(lines[7]).toMatch(/,,,,,,$/);
    expect(formatComparisonCsv(plain)).toMatch(/,nonFinite\r\n/);
  });

  test('has every measure in the CSV, of single tensors and of all', () => {
    const [head, whole, first] = formatComparisonCsv(plain).split('\r\n');
    expect(head).toBe(
      'format,tensor,shape,parameters,bitsPerWeight,sizeBytes,mse,rmse,sqnrDb,cosine,maxAbsError,' +
        'rmseOverStep,underflowFraction,clippedFraction,underflowMse,nonFinite',
    );
    expect(whole).toBe('int4-asym:g128,*,,32,4,8,1,1,0,0,0,0,0,0,0.25,0');
    expect(first).toBe('int4-asym:g128,a,2x4,8,,,1,1,0,0,0,0,0,0,0.25,0');
  });

  test('adds up what tensors cost alone, of layers and of all, where all were measured', () => {
    const [alone] = report.formats;
    expect(alone.summary.sumOfDeltasAlone).toBeNaN();
    const layered: ComparisonReport = {
      ...plain,
      formats: plain.formats.map((format) => ({
        ...format,
        layers: ['x', 'y'].map((layer) => ({ ...tensor(''), layer, tensors: 2 })),
        tensors: format.tensors.map((each, i) => ({ ...each, layer: i < 2 ? 'x' : 'y' })),
      })),
    };
    const merged = mergePerplexity(
      layered,
      {
        ...measured,
        formats: [[0.5, 0.25, 1, 2], []].map((deltas) => ({
          whole: changed(1),
          alone: deltas.map((delta) => changed(delta)),
        })),
      },
      3,
    );
    expect(merged.formats[0].summary.sumOfDeltasAlone).toBe(3.75);
    expect(merged.formats[0].layers.map((layer) => layer.sumOfDeltasAlone)).toEqual([0.75, 3]);
    expect(merged.formats[1].summary).not.toHaveProperty('sumOfDeltasAlone');
    expect(dropPerplexity(merged).formats).toEqual(layered.formats);
  });

  test('shows them below the errors, and the tensors that cost most alone', () => {
    const output = formatComparison(report, 'f16');
    expect(output).toContain('170 windows of 256 tokens');
    const lines = output.split('\n');
    const from = lines.findIndex((line) => line.startsWith('Costliest alone'));
    const names = lines.slice(from + 1, from + 4).map((line) => line.slice(15).trim()[0]);
    expect(names).toEqual(['b', 'c', 'a']);
    expect(lines.filter((line) => line === 'of the text')).toHaveLength(1);
    expect(formatComparison(plain, 'f16')).not.toContain('perplexity');
  });
});
