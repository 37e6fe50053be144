import { emit, usable } from './emit';
import { nearestInteger, nearestIntegers } from './rounding';
import { BASES, CODES, INVERSES, LEVELS, STORED_OFFSETS, STORED_SCALES } from './scratch';

// The last pass over a super-block: codes by the scales as stored, values and step errors.
// Reference: requantize, dequantizeGgmlBlock and ggmlStepErrors.

/** Where the codes of a sub-block come from when its stored scale is 0: from its search. */
export const FROM_INVERSE: i32 = 0;
export const FROM_LEVELS: i32 = 1;

// @ts-ignore: decorator
@inline
function emitRounded(
  w: v128, scale: v128, offset: v128, mask: v128, low: v128, high: v128, bottom: v128, top: v128,
  y: usize, u: usize, codes: usize,
): v128 {
  const scaled = f32x4.div(f32x4.sub(w, offset), scale);
  const level = nearestIntegers(scaled, low, high);
  const code = i32x4.sub(level, low);
  const words = i16x8.narrow_i32x4_s(code, code);
  v128.store32_lane(codes, i8x16.narrow_i16x8_u(words, words), 0);
  return emit(f32x4.convert_i32x4_s(level), scaled, scale, offset, mask, bottom, top, y, u);
}

/** A sub-block whose stored scale is 0 keeps the codes of its search; no step errors. */
function finishZeroScale(
  source: i32, x: usize, y: usize, u: usize, n: i32, index: i32, low: i32, high: i32, scratch: usize,
): void {
  const lane = <usize>index << 2;
  const scale = load<f32>(scratch + lane, STORED_SCALES);
  const offset = load<f32>(scratch + lane, STORED_OFFSETS);
  const inverse = load<f32>(scratch + lane, INVERSES), base = load<f32>(scratch + lane, BASES);
  const levels = scratch + LEVELS + (<usize>(index >> 2) << 8) + (<usize>(index & 3) << 2);
  const codes = scratch + CODES + <usize>(index * n);
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 2;
    let code: i32;
    if (source == FROM_LEVELS) {
      code = <i32>load<f32>(levels + (<usize>i << 4)) - low;
    } else if (low == 0) {
      code = min(max(nearestInteger(inverse * (load<f32>(x + at) - base)), 0), high);
    } else {
      code = <i32>base + min(max(nearestInteger(inverse * load<f32>(x + at)), low), high);
    }
    store<u8>(codes + i, code);
    store<f32>(y + at, scale * <f32>(code + low) + offset);
    store<f32>(u + at, 0);
  }
}

/**
 * Finishes a super-block of sub-blocks of n weights with levels low … high.
 * @returns counts of clipped weights, by lane
 */
// @ts-ignore: decorator
@inline
export function finishSuperBlock(
  source: i32, x: usize, y: usize, u: usize, n: i32, low: i32, high: i32, scratch: usize,
): v128 {
  const vlow = i32x4.splat(low), vhigh = i32x4.splat(high);
  const bottom = f32x4.splat(<f32>low - 0.5), top = f32x4.splat(<f32>high + 0.5);
  let clipped = i32x4.splat(0);
  let codes = scratch + CODES;
  const subBlocks = 256 / n;
  for (let index = 0; index < subBlocks; index++) {
    const lane = scratch + (<usize>index << 2);
    const scale = load<f32>(lane, STORED_SCALES);
    const end = x + (<usize>n << 2);
    if (scale == 0) {
      finishZeroScale(source, x, y, u, n, index, low, high, scratch);
      y += <usize>n << 2;
      u += <usize>n << 2;
      codes += n;
      x = end;
      continue;
    }
    const mask = usable(scale);
    const vscale = f32x4.splat(scale), voffset = v128.load32_splat(lane, STORED_OFFSETS);
    do {
      clipped = i32x4.sub(clipped, emitRounded(
        v128.load(x), vscale, voffset, mask, vlow, vhigh, bottom, top, y, u, codes,
      ));
      clipped = i32x4.sub(clipped, emitRounded(
        v128.load(x, 16), vscale, voffset, mask, vlow, vhigh, bottom, top, y + 16, u + 16, codes + 4,
      ));
      x += 32;
      y += 32;
      u += 32;
      codes += 8;
    } while (x < end);
  }
  return clipped;
}
