// The same work as the kernels, as anyone would write it first: one loop over typed arrays.
// For `npm run bench`; results are checked against the kernels before anything is timed.
import { roundToF16 } from '../../src/formats/float32.js';
import { NF4_F16 } from './levels.js';

const { fround, abs, max, min } = Math;

export interface PlainSums {
  error: number;
  value: number;
  step: number;
  underflowError: number;
  maxError: number;
  underflow: number;
  clipped: number;
}

const noSums = (): PlainSums => ({
  error: 0,
  value: 0,
  step: 0,
  underflowError: 0,
  maxError: 0,
  underflow: 0,
  clipped: 0,
});

/** Halves to even, for |x| < 2^51. */
function round(x: number): number {
  return x + 6755399441055744 - 6755399441055744;
}

function add(sums: PlainSums, w: number, q: number, u: number): void {
  const error = q - w;
  const square = error * error;
  sums.error += square;
  sums.value += q * q;
  sums.step += u * u;
  if (abs(error) > sums.maxError) sums.maxError = abs(error);
  if (q === 0 && w !== 0) {
    sums.underflow++;
    sums.underflowError += square;
  }
  if (abs(u) > 0.50001) sums.clipped++;
}

/** Integers with a zero point, groups of `group`. */
export function plainIntegers(
  x: Float32Array,
  y: Float32Array,
  group: number,
  top: number,
): PlainSums {
  const sums = noSums();
  for (let start = 0; start < x.length; start += group) {
    const end = start + group;
    let lo = 0;
    let hi = 0;
    for (let i = start; i < end; i++) {
      if (x[i] < lo) lo = x[i];
      if (x[i] > hi) hi = x[i];
    }
    const scale = roundToF16(fround(fround(hi - lo) / top));
    const zero = round(fround(-lo / scale));
    for (let i = start; i < end; i++) {
      const scaled = fround(x[i] / scale);
      const level = min(max(round(scaled) + zero, 0), top) - zero;
      y[i] = scale * level;
      add(sums, x[i], y[i], fround(scaled - level));
    }
  }
  return sums;
}

const THRESHOLDS = Float32Array.from({ length: 15 }, (_, i) => (NF4_F16[i] + NF4_F16[i + 1]) / 2);
const WIDTHS = Float32Array.from({ length: 15 }, (_, i) => 1 / (NF4_F16[i + 1] - NF4_F16[i]));

/** NF4 with a scale for each sign. */
export function plainGrid(x: Float32Array, y: Float32Array, group: number): PlainSums {
  const sums = noSums();
  for (let start = 0; start < x.length; start += group) {
    const end = start + group;
    let lo = 0;
    let hi = 0;
    for (let i = start; i < end; i++) {
      if (x[i] < lo) lo = x[i];
      if (x[i] > hi) hi = x[i];
    }
    const positive = roundToF16(hi);
    const negative = roundToF16(-lo);
    for (let i = start; i < end; i++) {
      const scale = x[i] < 0 ? negative : positive;
      const scaled = fround(x[i] / scale);
      let k = 0;
      for (let t = 0; t < 15; t++) if (scaled > THRESHOLDS[t]) k++;
      const interval = min(max(scaled < NF4_F16[k] ? k - 1 : k, 0), 14);
      y[i] = NF4_F16[k] * scale;
      add(sums, x[i], y[i], fround(fround(scaled - NF4_F16[k]) * WIDTHS[interval]));
    }
  }
  return sums;
}

const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);

/** A small float, one scale or one for each sign. */
export function plainMinifloat(
  x: Float32Array,
  y: Float32Array,
  group: number,
  fractionBits: number,
  minExponent: number,
  largest: number,
  bySign: boolean,
  lowerTies: boolean,
): PlainSums {
  const sums = noSums();
  for (let start = 0; start < x.length; start += group) {
    const end = start + group;
    let lo = 0;
    let hi = 0;
    for (let i = start; i < end; i++) {
      if (x[i] < lo) lo = x[i];
      if (x[i] > hi) hi = x[i];
    }
    const most = max(hi, -lo);
    const positive = roundToF16(fround((bySign ? hi : most) / largest));
    const negative = roundToF16(fround((bySign ? -lo : most) / largest));
    for (let i = start; i < end; i++) {
      const scale = x[i] < 0 ? negative : positive;
      const scaled = fround(x[i] / scale);
      floats[0] = min(abs(scaled), largest);
      const exponent = max((bits[0] >> 23) - 127, minExponent) - fractionBits;
      bits[0] = (exponent + 127) << 23;
      const step = floats[0];
      const quotient = scaled / step;
      let rounded = round(quotient);
      if (lowerTies && quotient - rounded === -0.5) rounded -= 1;
      const level = min(max(rounded * step, -largest), largest);
      y[i] = level * scale;
      add(sums, x[i], y[i], fround(fround(scaled - level) / step));
    }
  }
  return sums;
}

export function plainDecodeBF16(codes: Uint16Array, y: Float32Array): void {
  const words = new Uint32Array(y.buffer, y.byteOffset, y.length);
  for (let i = 0; i < codes.length; i++) words[i] = codes[i] << 16;
}

export function plainDecodeF16(codes: Uint16Array, y: Float32Array): void {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code >> 10) & 31;
    const fraction = code & 1023;
    y[i] =
      exponent === 0
        ? sign * fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? NaN
            : sign * Infinity
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
}
