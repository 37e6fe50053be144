import { sumOfLanes } from '../lanes';
import { finishSuperBlock, FROM_INVERSE, FROM_LEVELS } from './finish';
import { f16Bits, f16Value } from './half';
import { packBits, packNibbles, packTwoBits } from './packCodes';
import { nearestInteger } from './rounding';
import {
  BASES, CODES, interleaveFour, INVERSES, LEVELS, MIN_CODES, MINS, QUARTET, SCALE_CODES, SCALES,
  STORED_OFFSETS, STORED_SCALES, WEIGHTS,
} from './scratch';
import { searchQ3, searchQ6 } from './searchScale';
import { searchQ2, searchQ4, searchQ5 } from './searchScaleAndMin';

// q2_k … q6_k: super-blocks of 256 weights. Reference: kQuantsWithMin.ts and kQuantsSigned.ts.

/**
 * Integers of `top` at most for n values; bytes at `codes`.
 * @returns F16 bits of what one of them is worth. Reference: quantizePositive
 */
function quantizePositive(values: usize, n: i32, top: f32, most: i32, codes: usize): u32 {
  let largest: f32 = 0;
  for (let i = 0; i < n; i++) {
    const value = load<f32>(values + (<usize>i << 2));
    largest = value > largest ? value : largest;
  }
  const inverse: f32 = largest > 0 ? top / largest : 0;
  for (let i = 0; i < n; i++) {
    const code = nearestInteger(inverse * load<f32>(values + (<usize>i << 2))) & 0xff;
    store<u8>(codes + i, min(code, most));
  }
  return f16Bits(largest / top);
}

/** The first of 16 values of largest magnitude; +0 where all are 0 or NaN. */
function extremeValue(values: usize): f32 {
  let extreme: f32 = 0;
  for (let i: usize = 0; i < 64; i += 4) {
    const value = load<f32>(values + i);
    extreme = abs(value) > abs(extreme) ? value : extreme;
  }
  return extreme;
}

/** Reference: packSixBitPairs. */
function packSixBitPairs(scales: usize, mins: usize, bytes: usize): void {
  const scales0 = load<u32>(scales), scales4 = load<u32>(scales, 4);
  const mins0 = load<u32>(mins), mins4 = load<u32>(mins, 4);
  store<u32>(bytes, scales0 | ((scales4 & 0x30303030) << 2));
  store<u32>(bytes, mins0 | ((mins4 & 0x30303030) << 2), 4);
  store<u32>(bytes, (scales4 & 0x0f0f0f0f) | ((mins4 & 0x0f0f0f0f) << 4), 8);
}

/** q2_k: bytes of a 4-bit scale and a 4-bit minimum; q2_k never clamps them. */
function storeQ2Scales(scratch: usize, unit: f32, minUnit: f32): void {
  const bytes = v128.or(
    v128.load(scratch, SCALE_CODES),
    v128.and(i16x8.shl(v128.load(scratch, MIN_CODES), 4), i8x16.splat(-16)),
  );
  v128.store(scratch, bytes, SCALE_CODES);
  for (let i: usize = 0; i < 16; i++) {
    const byte = load<u8>(scratch + i, SCALE_CODES);
    store<f32>(scratch + (i << 2), unit * <f32>(byte & 15), STORED_SCALES);
    store<f32>(scratch + (i << 2), -(minUnit * <f32>(byte >> 4)), STORED_OFFSETS);
  }
}

function storeSixBitScales(scratch: usize, unit: f32, minUnit: f32): void {
  for (let i: usize = 0; i < 8; i++) {
    const scale = <f32>load<u8>(scratch + i, SCALE_CODES);
    const min = <f32>load<u8>(scratch + i, MIN_CODES);
    store<f32>(scratch + (i << 2), unit * scale, STORED_SCALES);
    store<f32>(scratch + (i << 2), -(minUnit * min), STORED_OFFSETS);
  }
}

export function quantizeQ2_K(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  do {
    for (let half: usize = 0; half < 2; half++) {
      interleaveFour(x + (half << 9), 16, scratch + WEIGHTS);
      interleaveFour(x + (half << 9) + 256, 16, scratch + WEIGHTS + QUARTET);
      searchQ2(scratch, scratch + (half << 5));
    }
    const unitBits = quantizePositive(scratch + SCALES, 16, 15, 255, scratch + SCALE_CODES);
    const minUnitBits = quantizePositive(scratch + MINS, 16, 15, 255, scratch + MIN_CODES);
    storeQ2Scales(scratch, f16Value(unitBits), f16Value(minUnitBits));
    clipped = i32x4.add(clipped, finishSuperBlock(FROM_INVERSE, x, y, u, 16, 0, 3, scratch));
    if (packed) {
      v128.store(packed, v128.load(scratch, SCALE_CODES));
      packTwoBits(scratch + CODES, 0, packed + 16);
      store<u16>(packed, unitBits, 80);
      store<u16>(packed, minUnitBits, 82);
      packed += 84;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return sumOfLanes(clipped);
}

/** q4_k and q5_k; `bits` is a constant at both calls. */
// @ts-ignore: decorator
@inline
function quantizeWithSixBitScales(
  bits: i32, x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  do {
    interleaveFour(x, 32, scratch + WEIGHTS);
    interleaveFour(x + 512, 32, scratch + WEIGHTS + QUARTET);
    if (bits == 4) searchQ4(scratch, scratch);
    else searchQ5(scratch, scratch);
    const unitBits = quantizePositive(scratch + SCALES, 8, 63, 63, scratch + SCALE_CODES);
    const minUnitBits = quantizePositive(scratch + MINS, 8, 63, 63, scratch + MIN_CODES);
    storeSixBitScales(scratch, f16Value(unitBits), f16Value(minUnitBits));
    clipped = i32x4.add(
      clipped, finishSuperBlock(FROM_INVERSE, x, y, u, 32, 0, bits == 4 ? 15 : 31, scratch),
    );
    if (packed) {
      store<u16>(packed, unitBits);
      store<u16>(packed, minUnitBits, 2);
      packSixBitPairs(scratch + SCALE_CODES, scratch + MIN_CODES, packed + 4);
      packed += 16;
      if (bits == 5) {
        packBits(scratch + CODES, 4, packed);
        packed += 32;
      }
      packNibbles(scratch + CODES, 32, packed);
      packed += 128;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return sumOfLanes(clipped);
}

export function quantizeQ4_K(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  return quantizeWithSixBitScales(4, x, y, u, blocks, packed, scratch);
}

export function quantizeQ5_K(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  return quantizeWithSixBitScales(5, x, y, u, blocks, packed, scratch);
}

/** No offsets: −0, which changes no sum. */
function clearOffsets(scratch: usize): void {
  for (let i: usize = 0; i < 64; i += 16) {
    v128.store(scratch + i, f32x4.splat(-0.0), STORED_OFFSETS);
  }
}

export function quantizeQ3_K(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  clearOffsets(scratch);
  do {
    for (let part: usize = 0; part < 4; part++) {
      interleaveFour(x + (part << 8), 16, scratch + WEIGHTS);
      searchQ3(scratch, scratch + (part << 4), scratch + LEVELS + (part << 8));
    }
    const extreme = extremeValue(scratch + SCALES);
    const inverse: f32 = extreme == 0 ? 0 : <f32>-32 / extreme;
    const unitBits = extreme == 0 ? 0 : f16Bits(<f32>1 / inverse);
    const unit = f16Value(unitBits);
    for (let i: usize = 0; i < 16; i++) {
      // An extreme of 0 leaves code 0, which means −32.
      let level: i32 = -32;
      if (extreme != 0) {
        const nearest = nearestInteger(inverse * load<f32>(scratch + (i << 2), SCALES));
        level = max(-32, min(31, nearest));
      }
      store<u8>(scratch + i, level + 32, SCALE_CODES);
      store<f32>(scratch + (i << 2), unit * <f32>level, STORED_SCALES);
    }
    clipped = i32x4.add(clipped, finishSuperBlock(FROM_LEVELS, x, y, u, 16, -4, 3, scratch));
    if (packed) {
      packBits(scratch + CODES, 2, packed);
      packTwoBits(scratch + CODES, 0, packed + 32);
      const low = load<u64>(scratch, SCALE_CODES), high = load<u64>(scratch, SCALE_CODES + 8);
      const nibbles: u64 = 0x0f0f0f0f0f0f0f0f;
      store<u64>(packed, (low & nibbles) | ((high & nibbles) << 4), 96);
      const pairs = 0x03030303;
      const upper = (<u32>(low >> 4) & pairs) | ((<u32>(low >> 36) & pairs) << 2) |
        ((<u32>(high >> 4) & pairs) << 4) | ((<u32>(high >> 36) & pairs) << 6);
      store<u32>(packed, upper, 104);
      store<u16>(packed, unitBits, 108);
      packed += 110;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return sumOfLanes(clipped);
}

export function quantizeQ6_K(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  clearOffsets(scratch);
  do {
    for (let part: usize = 0; part < 4; part++) {
      interleaveFour(x + (part << 8), 16, scratch + WEIGHTS);
      searchQ6(scratch, scratch + (part << 4));
    }
    const extreme = extremeValue(scratch + SCALES);
    const negligible = abs(extreme) < <f32>1e-15;
    const inverse: f32 = negligible ? 0 : <f32>-128 / extreme;
    const unitBits = negligible ? 0 : f16Bits(<f32>1 / inverse);
    const unit = f16Value(unitBits);
    for (let i: usize = 0; i < 16; i++) {
      const byte = <i8>min(127, nearestInteger(inverse * load<f32>(scratch + (i << 2), SCALES)));
      store<i8>(scratch + i, negligible ? 0 : byte, SCALE_CODES);
      store<f32>(scratch + (i << 2), unit * <f32>load<i8>(scratch + i, SCALE_CODES), STORED_SCALES);
      if (negligible) {
        // Such a super-block is all zero bytes.
        store<f32>(scratch + (i << 2), 0, INVERSES);
        store<f32>(scratch + (i << 2), 0, BASES);
      }
    }
    clipped = i32x4.add(clipped, finishSuperBlock(FROM_INVERSE, x, y, u, 16, -32, 31, scratch));
    if (packed) {
      packNibbles(scratch + CODES, 64, packed);
      packTwoBits(scratch + CODES, 4, packed + 128);
      v128.store(packed, v128.load(scratch, SCALE_CODES), 192);
      store<u16>(packed, unitBits, 208);
      packed += 210;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return sumOfLanes(clipped);
}
