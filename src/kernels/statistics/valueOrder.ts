/**
 * The upper and lower halves of an f32's bits, numbered so that numbers ascend with values: for
 * negative values the bits run the other way.
 */
export function orderedBits(bits: number): number {
  return (bits & 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** Inverse of {@link orderedBits}: the value with this place in the order. */
export function valueAtOrder(order: number): number {
  words[0] = order & 0x80000000 ? order & 0x7fffffff : ~order;
  return floats[0];
}
