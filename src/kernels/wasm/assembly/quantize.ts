import { accumulate, clearSums, countGroup, finishSums, UNEVEN } from './accumulate';
import {
  Config, RULE_CHOICE, RULE_DENORMAL, RULE_GRID16, RULE_INTEGER, RULE_MINIFLOAT, SEARCH_MSE, TIES_AWAY,
  WHOLE_TENSOR,
} from './config';
import { blockGroup, fitBlock, prepareChoices } from './choice';
import { badScale, prepareGroup, rangeExcludesZero, scalePositive } from './group';
import { grid16Errors, grid16Group, prepareGrid16 } from './grid16';
import { denormalGroup, integerErrors, integerGroup } from './integer';
import { addNearIntegers, areNear } from './integerNear';
import { findExtremes, largest, smallest } from './lanes';
import { minifloatErrors, minifloatGroup } from './minifloat';
import {
  CHECK_EVERY, clearRest, foldSingle, powersLimit, roughSquares, squaresLimit, sumPowers, sumSquares,
} from './search';

/** Spans below this are widened by AWQ's quantizer. */
const AWQ_SMALLEST_SPAN: f32 = 1e-5;

const SHRINK_STEPS: i32 = 80;
const CLIP_STEPS: i32 = 10;

function quantizeGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const rule = config.rule;
  if (rule == RULE_INTEGER) integerGroup(config, x, y, u, n);
  else if (rule == RULE_GRID16) grid16Group(config, x, y, u, n);
  else if (rule == RULE_DENORMAL) denormalGroup(config, x, y, u, n);
  else if (rule == RULE_CHOICE) blockGroup(config, x, y, u, n);
  else minifloatGroup(config, x, y, u, n);
}

/** Errors ŵ − w of n weights with the parameters at work; returns their rough squares. */
function groupErrors(config: Config, x: usize, e: usize, u: usize, n: i32): f64 {
  const rule = config.rule;
  if (rule == RULE_INTEGER && config.ties != TIES_AWAY && (n & 7) == 0) {
    return foldSingle(integerErrors(config, x, e, n));
  }
  if (rule == RULE_GRID16) {
    grid16Errors(config, x, e, n);
  } else if (rule == RULE_MINIFLOAT) {
    minifloatErrors(config, x, e, u, n);
  } else {
    quantizeGroup(config, x, e, u, n);
    for (let i: usize = 0; i < <usize>n << 2; i += 16) {
      v128.store(e + i, f32x4.sub(v128.load(e + i), v128.load(x + i)));
    }
  }
  clearRest(e, n);
  return foldSingle(roughSquares(e, n));
}

let bestLo: f32 = 0;
let bestHi: f32 = 0;
let bestError: f64 = 0;

/** Rough squared error at which a candidate is given up. */
let squaresGivenUp: f64 = 0;

/** @param e, u scratch for n weights */
function tryRange(config: Config, lo: f32, hi: f32, x: usize, e: usize, u: usize, n: i32): void {
  prepareGroup(config, lo, hi);
  let rough: f64 = 0;
  for (let done = 0; done < n; done += CHECK_EVERY) {
    const part = min(n - done, CHECK_EVERY);
    const offset = <usize>done << 2;
    rough += groupErrors(config, x + offset, e + offset, u, part);
    if (rough >= squaresGivenUp && rough < Infinity) return;
  }
  const byPowers = config.search == SEARCH_MSE;
  const error = byPowers ? sumPowers(e, n, bestError) : sumSquares(e, n);
  if (!(error < bestError)) return;
  bestError = error;
  bestLo = lo;
  bestHi = hi;
  squaresGivenUp = byPowers ? powersLimit(error, n) : squaresLimit(error);
}

/** Leaves the best range in bestLo and bestHi. Reference: searchRange. */
function searchRange(
  config: Config, lo: f32, hi: f32, x: usize, e: usize, u: usize, n: i32,
): void {
  bestLo = lo;
  bestHi = hi;
  if (config.search == 0 || (lo == 0 && hi == 0)) return;
  bestError = Infinity;
  squaresGivenUp = Infinity;
  if (config.search == SEARCH_MSE) {
    for (let i = 0; i < SHRINK_STEPS; i++) {
      const factor = <f32>(1 - <f64>i / 100);
      tryRange(config, factor * lo, factor * hi, x, e, u, n);
    }
    return;
  }
  for (let i = 0; i < CLIP_STEPS; i++) {
    const high = <f32>(1 - <f64>i / 20) * hi;
    for (let j = 0; j < CLIP_STEPS; j++) {
      tryRange(config, <f32>(1 - <f64>j / 20) * lo, high, x, e, u, n);
    }
  }
}

/** Finds the parameters of n weights at x whose range is lo … hi. Reference: fitGroup. */
export function fitRange(
  config: Config, lo: f32, hi: f32, x: usize, e: usize, u: usize, n: i32,
): void {
  if (config.rule == RULE_CHOICE) {
    fitBlock(config, lo, hi, x, e, u, n);
    return;
  }
  searchRange(config, lo, hi, x, e, u, n);
  prepareGroup(config, bestLo, bestHi);
}

/** Once for each call, before its groups. */
export function prepareCall(config: Config): void {
  if (config.rule == RULE_GRID16) prepareGrid16(config.grid);
  else if (config.rule == RULE_CHOICE) prepareChoices(config);
}

/** Quantizes a group with the parameters at work and adds it to the sums; its weights are low … high. */
function sumGroup(
  config: Config, x: usize, y: usize, u: usize, n: i32, low: f32, high: f32, sums: usize,
): void {
  if (config.rule != RULE_INTEGER) {
    quantizeGroup(config, x, y, u, n);
    accumulate(x, y, u, n, UNEVEN, sums);
  } else if (areNear(config, low, high, n)) {
    addNearIntegers(config, x, y, n, sums);
  } else {
    integerGroup(config, x, y, u, n);
    accumulate(x, y, u, n, scalePositive, sums);
  }
}

/**
 * Quantizes and dequantizes a chunk and sums its errors. Reference: quantizeChunk.
 * @param x weights [rows × columns], finite; @param y values; @param u errors in steps, scratch
 * @param sums raw sums, see accumulate.ts
 */
export function quantizeChunk(
  x: usize, y: usize, u: usize, rows: i32, columns: i32, groupSize: i32,
  configAt: usize, sums: usize,
): void {
  const config = changetype<Config>(configAt);
  const withoutZero = rangeExcludesZero(config);
  const tensor = config.range == WHOLE_TENSOR;
  prepareCall(config);
  clearSums(sums);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupSize) {
      const n = min(groupSize, columns - column);
      const offset = <usize>(row * columns + column) << 2;
      if (!tensor) findExtremes(x + offset, n);
      const low = tensor ? config.tensorLo : smallest;
      const high = tensor ? config.tensorHi : largest;
      const lo: f32 = withoutZero ? low : min(low, 0) + 0;
      const hi: f32 = withoutZero ? high : max(high, 0);
      // Values that nobody keeps go to one place, which stays in the nearest cache.
      const values = config.keepOutput ? y + offset : y;
      fitRange(config, lo, hi, x + offset, values, u, n);
      countGroup(
        sums,
        badScale,
        <i32>(low >= 0 != high <= 0),
        <i32>(low > 0 || high < 0 || high - low < AWQ_SMALLEST_SPAN),
      );
      sumGroup(config, x + offset, values, u, n, low, high, sums);
    }
  }
  finishSums(sums);
}

/** Sums of n weights that were quantized elsewhere. */
export function sumErrors(x: usize, y: usize, u: usize, n: i32, sums: usize): void {
  clearSums(sums);
  accumulate(x, y, u, n, UNEVEN, sums);
  finishSums(sums);
}

// What encode.ts needs of a group.
export { quantizeGroup };
