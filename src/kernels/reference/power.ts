const { fround } = Math;
const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);

/**
 * |x|^2.4 as 2^(2.4·log2|x|) in f32 arithmetic of a fixed order, so that every backend gives the
 * same bits. Relative error below 1e-5 (tested); GPTQ's search, which it serves, compares sums that
 * differ by far more.
 */
export function powerTwoPointFour(x: number): number {
  floats[0] = Math.abs(x);
  if (floats[0] < 2 ** -50) return 0;
  // Split so that the fraction lies in [√½, √2): the series of log2 is best around 1.
  const shifted = bits[0] - 0x3f3504f3;
  const exponent = shifted >> 23;
  bits[0] = bits[0] - (exponent << 23);
  const t = fround(floats[0] - 1);
  const logarithm = fround(exponent + fround(t * logSeries(t)));
  const power = fround(logarithm * fround(2.4));
  if (power > 127) return Infinity;
  const whole = Math.floor(fround(power + 0.5));
  const fraction = fround(power - whole);
  bits[0] = (whole + 127) << 23;
  return fround(floats[0] * exp2Series(fraction));
}

/** Coefficients of log2(1+t)/t on [√½−1, √2−1] and of 2^f on [−½, ½], highest power first. */
const LOG2_SERIES = [
  -0.14275974035263062, 0.23265257477760315, -0.24927182495594025, 0.2872888743877411,
  -0.3602251708507538, 0.48091670870780945, -0.7213529348373413, 1.4426950216293335,
].map(fround);
const EXP2_SERIES = [
  0.0013390863314270973, 0.009676031768321991, 0.055503569543361664, 0.2402210682630539,
  0.6931471824645996, 1.0000001192092896,
].map(fround);

/** a + b·x, each operation rounded to f32. */
const line = (a: number, b: number, x: number) => fround(a + fround(b * x));

/** Estrin's scheme: pairs, pairs of pairs; short chains suit the vector kernels. */
function logSeries(t: number): number {
  const [c7, c6, c5, c4, c3, c2, c1, c0] = LOG2_SERIES;
  const t2 = fround(t * t);
  const low = line(line(c0, c1, t), line(c2, c3, t), t2);
  const high = line(line(c4, c5, t), line(c6, c7, t), t2);
  return line(low, high, fround(t2 * t2));
}

function exp2Series(f: number): number {
  const [c5, c4, c3, c2, c1, c0] = EXP2_SERIES;
  const f2 = fround(f * f);
  const low = line(line(c0, c1, f), line(c2, c3, f), f2);
  return line(low, line(c4, c5, f), fround(f2 * f2));
}
