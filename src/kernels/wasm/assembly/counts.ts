/** Adds 1 to counts[key] for each 16-bit key. @param counts u32[65536] */
export function count16(source: usize, n: i32, counts: usize): void {
  const end = source + ((<usize>n) << 1);
  const wide = source + (((<usize>n) >> 2) << 3);
  while (source < wide) {
    const four = load<u64>(source);
    const a = counts + <usize>((four & 0xffff) << 2);
    store<u32>(a, load<u32>(a) + 1);
    const b = counts + <usize>(((four >> 16) & 0xffff) << 2);
    store<u32>(b, load<u32>(b) + 1);
    const c = counts + <usize>(((four >> 32) & 0xffff) << 2);
    store<u32>(c, load<u32>(c) + 1);
    const d = counts + <usize>((four >> 48) << 2);
    store<u32>(d, load<u32>(d) + 1);
    source += 8;
  }
  while (source < end) {
    const at = counts + ((<usize>load<u16>(source)) << 2);
    store<u32>(at, load<u32>(at) + 1);
    source += 2;
  }
}

/** Adds 1 to counts[key] for the upper 16 bits of each f32. @param counts u32[65536] */
export function countUpper(x: usize, n: i32, counts: usize): void {
  const end = x + ((<usize>n) << 2);
  const wide = x + (((<usize>n) >> 1) << 3);
  while (x < wide) {
    const two = load<u64>(x);
    const a = counts + <usize>(((two >> 16) & 0xffff) << 2);
    store<u32>(a, load<u32>(a) + 1);
    const b = counts + <usize>((two >> 48) << 2);
    store<u32>(b, load<u32>(b) + 1);
    x += 8;
  }
  if (x < end) {
    const at = counts + ((<usize>load<u16>(x, 2)) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/**
 * Counts lower halves of those f32s whose upper half is looked for.
 * @param slots u8[65536]: for each upper half 1 + the index of its table, 0 where it has none
 * @param counts tables of u32[65536] by lower half
 */
export function countLower(x: usize, n: i32, slots: usize, counts: usize): void {
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    const slot = <usize>load<u8>(slots + <usize>load<u16>(x, 2));
    if (slot == 0) continue;
    const at = counts + ((((slot - 1) << 16) | <usize>load<u16>(x)) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Counts finite f32s in bins of equal width. Reference: binOf. @param counts u32[bins] */
export function countBins(
  x: usize, n: i32, start: f64, binWidth: f64, bins: i32, counts: usize,
): void {
  const last = <f64>(bins - 1);
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    if ((load<u32>(x) & 0x7f800000) == 0x7f800000) continue;
    const bin = min(max(floor((<f64>load<f32>(x) - start) / binWidth), 0), last);
    const at = counts + ((<usize>(<i32>bin)) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}
