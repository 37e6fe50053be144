import type {
  ComparisonReport,
  FormatComparison,
  TensorComparison,
} from '../../src/reports/reports.js';
import { measures } from './measures.js';
import { sampleCheckpoint, sampleWeights } from './sampleModel.js';

/** The values a group can take, ascending, given its range with zero inside it. */
type Levels = (lo: number, hi: number) => number[];

interface SampleFormat {
  readonly id: string;
  readonly label: string;
  /** Stored bits of a weight, and of a group beside its weights. */
  readonly bits: number;
  readonly groupBits: number;
  readonly groupSize: number;
  readonly levels: Levels;
  readonly notes?: readonly string[];
}

const f16 = new DataView(new ArrayBuffer(4));

/** Nearest F16 of a positive normal number: eleven significant bits, ties to even. */
function roundF16(value: number): number {
  f16.setFloat32(0, value);
  const bits = f16.getUint32(0);
  const even = (bits >>> 13) & 1;
  f16.setUint32(0, (bits + 0xfff + even) & ~0x1fff);
  return f16.getFloat32(0);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest === 0.5 ? floor + (floor % 2) : Math.round(value);
}

function intAsym(bits: number): Levels {
  const top = 2 ** bits - 1;
  return (lo, hi) => {
    const scale = roundF16((hi - lo) / top);
    const zero = roundHalfEven(-lo / scale);
    return range(0, top).map((q) => scale * (q - zero));
  };
}

const intSym: Levels = (lo, hi) => {
  const scale = roundF16(((lo < 0 ? 2 : 1) * Math.max(-lo, hi)) / 15);
  return range(-8, 7).map((q) => scale * q);
};

/** An integer with ±half a step, as the sections of the paper that are known describe it. */
const dint4: Levels = (lo, hi) => {
  const scale = roundF16((hi - lo) / 13);
  const zero = Math.min(13, Math.max(0, roundHalfEven(-lo / scale)));
  const levels = range(0, 13).map((k) => scale * (k - zero));
  return [...levels, scale / 2, -scale / 2].sort((a, b) => a - b);
};

const oneScale =
  (grid: readonly number[]): Levels =>
  (lo, hi) => {
    const scale = roundF16(Math.max(-lo, hi) / grid[grid.length - 1]);
    return grid.map((level) => level * scale);
  };

/** One scale for the levels above zero, another for those below. */
const twoScales =
  (grid: readonly number[]): Levels =>
  (lo, hi) => {
    const up = roundF16(hi / grid[grid.length - 1]);
    const down = roundF16(-lo / -grid[0]);
    return grid.map((level) => level * (level < 0 ? down : up));
  };

const E2M1 = [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6];
const NF4 = [
  -1, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.09105, 0, 0.0795803, 0.1609302,
  0.2461123, 0.3379152, 0.4407098, 0.562617, 0.7229568, 1,
];

function sampleFormats(groupSize: number): SampleFormat[] {
  const format = (id: string, label: string, groupBits: number, levels: Levels, bits = 4) => ({
    id: `${id}:g${groupSize}`,
    label: `${label} g${groupSize}`,
    bits,
    groupBits,
    groupSize,
    levels,
  });
  return [
    format('int4-asym', 'INT4', 20, intAsym(4)),
    format('int4-sym', 'INT4 sym', 16, intSym),
    format('fp4-e2m1', 'FP4', 16, oneScale(E2M1)),
    format('afp4-e2m1', 'AFP4', 32, twoScales(E2M1)),
    format('nf4', 'NF4', 16, oneScale(NF4)),
    format('anf4', 'ANF4', 32, twoScales(NF4)),
    {
      ...format('dint4', 'dINT4', 20, dint4),
      notes: ['Reconstructed: no code of the authors is public; see the format’s documentation.'],
    },
    format('int3-asym', 'INT3', 19, intAsym(3), 3),
  ];
}

const made = new Map<string, ComparisonReport>();

/** The sample's linear weights in eight formats at a group size, the plain way. */
export function sampleComparison(groupSize = 128, layer?: string): ComparisonReport {
  const key = `${groupSize} ${layer}`;
  const report = made.get(key) ?? compareSample(groupSize, layer);
  made.set(key, report);
  return report;
}

function compareSample(groupSize: number, layer?: string): ComparisonReport {
  const tensors = sampleCheckpoint.tensors.filter(
    (tensor) => tensor.quantizedByDefault && (!layer || tensor.layer === layer),
  );
  const started = performance.now();
  const weights = new Map(tensors.map(({ name }) => [name, sampleWeights(name)]));
  const formats = sampleFormats(groupSize).map((format): FormatComparison => {
    const measured = tensors.map((tensor) => measure(format, tensor, weights.get(tensor.name)!));
    const n = measured.reduce((sum, { parameters }) => sum + parameters, 0);
    const layers = [...new Set(measured.map((each) => each.layer))];
    const bitsPerWeight = format.bits + format.groupBits / groupSize;
    return {
      id: format.id,
      label: format.label,
      bitsPerWeight,
      approximate: format.notes !== undefined,
      reconstructed: format.notes !== undefined,
      notes: format.notes ?? [],
      summary: { ...totalOf(measured), sizeBytes: (n * bitsPerWeight) / 8 },
      layers: layers.map((name) => ({
        layer: name,
        ...totalOf(measured.filter((each) => each.layer === name)),
      })),
      tensors: measured.map(({ error: _error, ...tensor }) => tensor),
    };
  });
  const seconds = (performance.now() - started) / 1000;
  const quantized = tensors.reduce((sum, { elements }) => sum + elements, 0);
  return {
    model: {
      path: sampleCheckpoint.path,
      architecture: 'LlamaForCausalLM',
      parameters: sampleCheckpoint.totalElements,
      quantizableParameters: quantized,
      notes: [],
      dtype: 'BF16',
    },
    baseline: {},
    formats,
    notes: [],
    timings: {
      readSeconds: 0,
      quantizeSeconds: seconds,
      forwardSeconds: 0,
      totalSeconds: seconds,
      peakRssBytes: process.memoryUsage().rss,
      backend: 'test',
      threads: 1,
    },
  };
}

type Measured = TensorComparison & { readonly error: number };

/** Several tensors as if they were one. */
function totalOf(measured: readonly Measured[]) {
  const n = measured.reduce((sum, { parameters }) => sum + parameters, 0);
  const total = (value: (tensor: Measured) => number): number =>
    measured.reduce((sum, tensor) => sum + value(tensor), 0);
  const error = total((each) => each.error);
  const sumSquares = total((each) => each.sumSquares);
  return {
    tensors: measured.length,
    parameters: n,
    sumSquares,
    ...measures({}),
    mse: error / n,
    rmse: Math.sqrt(error / n),
    underflowMse: total((t) => t.underflowMse * t.parameters) / n,
    sqnrDb: 10 * Math.log10(sumSquares / error),
    cosine: measured.reduce((least, { cosine }) => Math.min(least, cosine), 1),
    maxAbsError: Math.max(...measured.map(({ maxAbsError }) => maxAbsError)),
    rmseOverStep: Math.sqrt(total((t) => t.rmseOverStep ** 2 * t.parameters) / n),
    underflowFraction: total((t) => t.underflowFraction * t.parameters) / n,
    clippedFraction: total((t) => t.clippedFraction * t.parameters) / n,
  };
}

function measure(
  { groupSize, levels }: SampleFormat,
  { name, layer, nameInLayer, shape, transposed }: (typeof sampleCheckpoint)['tensors'][number],
  weights: Float32Array,
): Measured {
  let [error, signal, dot, energy, largest, steps] = [0, 0, 0, 0, 0, 0];
  let [zeroed, zeroedEnergy, clipped] = [0, 0, 0];
  for (let start = 0; start < weights.length; start += groupSize) {
    const group = weights.subarray(start, start + groupSize);
    const values = levels(Math.min(0, ...group), Math.max(0, ...group));
    for (const w of group) {
      const upper = upperOf(values, w);
      const [below, above] = [values[upper - 1], values[upper]];
      const quantized = above - w < w - below ? above : below;
      const width = above - below;
      const difference = quantized - w;
      error += difference ** 2;
      signal += w ** 2;
      dot += w * quantized;
      energy += quantized ** 2;
      largest = Math.max(largest, Math.abs(difference));
      steps += (difference / width) ** 2;
      if (w !== 0 && quantized === 0) {
        zeroed++;
        zeroedEnergy += w ** 2;
      }
      if (Math.abs(difference) > width / 2 + 1e-9) clipped++;
    }
  }
  const n = weights.length;
  return {
    name,
    layer,
    nameInLayer,
    shape,
    transposed,
    parameters: n,
    sumSquares: signal,
    ...measures({}),
    mse: error / n,
    rmse: Math.sqrt(error / n),
    underflowMse: zeroedEnergy / n,
    sqnrDb: 10 * Math.log10(signal / error),
    cosine: dot / Math.sqrt(signal * energy),
    maxAbsError: largest,
    rmseOverStep: Math.sqrt(steps / n),
    underflowFraction: zeroed / n,
    clippedFraction: clipped / n,
    error,
  };
}

/** The upper of the two ascending values that `w` lies between, the outermost ones where it lies beyond. */
function upperOf(values: readonly number[], w: number): number {
  let upper = 1;
  while (upper < values.length - 1 && values[upper] < w) upper++;
  return upper;
}
