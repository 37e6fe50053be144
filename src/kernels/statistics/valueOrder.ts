/**
 * The upper and lower halves of an f32's bits, numbered so that numbers ascend with values: for
 * negative values the bits run the other way.
 */
export function orderedBits(bits: number): number {
  return (bits & 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** The bits that {@link orderedBits} numbers so. */
export function bitsOfOrdered(order: number): number {
  return (order & 0x80000000 ? order ^ 0x80000000 : ~order) >>> 0;
}

/** The f32 whose bits {@link orderedBits} numbers so. */
export function valueOfOrderedBits(order: number): number {
  return valueOfBits(bitsOfOrdered(order));
}

/** The f32 with these bits. */
export function valueOfBits(bits: number): number {
  words[0] = bits;
  return floats[0];
}
