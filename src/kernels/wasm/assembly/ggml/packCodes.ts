// How codes of 1, 2 and 4 bits share bytes. Reference: codePacking.ts; 256 codes, stretches of 32
// unless said otherwise.

/** Low four bits of the codes; two codes `stretch` apart share a byte. */
export function packNibbles(codes: usize, stretch: usize, bytes: usize): void {
  const mask = i8x16.splat(15);
  const end = codes + 256;
  do {
    const stretchEnd = codes + stretch;
    do {
      const low = v128.and(v128.load(codes), mask);
      const high = v128.and(v128.load(codes + stretch), mask);
      v128.store(bytes, v128.or(low, i16x8.shl(high, 4)));
      codes += 16;
      bytes += 16;
    } while (codes < stretchEnd);
    codes += stretch;
  } while (codes < end);
}

// @ts-ignore: decorator
@inline
function twoBits(codes: usize, shift: i32, place: i32): v128 {
  return i16x8.shl(v128.and(i16x8.shr_u(v128.load(codes), shift), i8x16.splat(3)), place);
}

/** Two bits of each code, from bit `shift` on. */
export function packTwoBits(codes: usize, shift: i32, bytes: usize): void {
  const end = bytes + 64;
  do {
    for (let i: usize = 0; i < 32; i += 16) {
      const at = codes + i;
      const packed = v128.or(
        v128.or(twoBits(at, shift, 0), twoBits(at + 32, shift, 2)),
        v128.or(twoBits(at + 64, shift, 4), twoBits(at + 96, shift, 6)),
      );
      v128.store(bytes + i, packed);
    }
    codes += 128;
    bytes += 32;
  } while (bytes < end);
}

/** Bit `shift` of each code. */
export function packBits(codes: usize, shift: i32, bytes: usize): void {
  let first = i8x16.splat(0), second = first;
  const one = i8x16.splat(1);
  for (let place = 0; place < 8; place++) {
    first = v128.or(first, i16x8.shl(v128.and(i16x8.shr_u(v128.load(codes), shift), one), place));
    second = v128.or(second, i16x8.shl(v128.and(i16x8.shr_u(v128.load(codes, 16), shift), one), place));
    codes += 32;
  }
  v128.store(bytes, first);
  v128.store(bytes, second, 16);
}
