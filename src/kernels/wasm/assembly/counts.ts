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
