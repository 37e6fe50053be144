import type { Check, CheckedWeight, CheckSubject } from '../check.js';

/** Bytes of codes of a weight that are looked at, and weights. */
const MAX_BYTES = 1 << 20;
const MAX_WEIGHTS = 16;

/** Fewer blocks say nothing. */
const FEWEST_BLOCKS = 64;

const BLOCK_BYTES = 16;

function isMxfp4({ layout, parts, tensor }: CheckedWeight): boolean {
  const dtype = parts.get('scales')?.dtype;
  const exponents = dtype === 'U8' || dtype === 'F8_E8M0';
  const whole = tensor.shape[tensor.shape.length - 1] % (BLOCK_BYTES * 2) === 0;
  return (layout === 'fp4-packed' || layout === 'gpt-oss') && exponents && whole;
}

/** How often each code, signs aside, is the largest of its block. */
async function countLargest(
  { read }: CheckSubject,
  weights: readonly CheckedWeight[],
): Promise<number[]> {
  const counts = new Array<number>(8).fill(0);
  for (const { parts } of weights) {
    const codes = parts.get('codes')!;
    const length = Math.min(
      codes.shape.reduce((product, dimension) => product * dimension, 1),
      MAX_BYTES,
    );
    const bytes = await read(codes, 0, length);
    for (let block = 0; block + BLOCK_BYTES <= length; block += BLOCK_BYTES) {
      let largest = 0;
      for (let i = block; i < block + BLOCK_BYTES; i++) {
        largest = Math.max(largest, bytes[i] & 7, (bytes[i] >>> 4) & 7);
      }
      counts[largest]++;
    }
  }
  return counts;
}

/**
 * Four tools choose four scales for the same block. Where the largest weight over the scale lies between 4
 * and 8 (floor: OCP, GGUF) or 3.5 and 7 (half up: compressed-tensors), the largest code is 4 or 6; where it
 * lies between 3 and 6 (ceiling: nothing is cut off), it is 3 as well. Codes say no more.
 */
const scaleRule: Check = {
  id: 'mxfp4-scale-rule',
  source: 'https://github.com/pytorch/ao/pull/516',
  async *find(subject) {
    const weights = subject.weights.filter(isMxfp4);
    if (weights.length === 0) return;
    const counts = await countLargest(subject, weights.slice(0, MAX_WEIGHTS));
    const blocks = counts.slice(1).reduce((sum, count) => sum + count, 0);
    if (blocks < FEWEST_BLOCKS) return;
    // Codes 5, 6, 7 stand for 3, 4, 6.
    const [three, four, six] = counts.slice(5);
    const smaller = blocks - three - four - six;
    const { file } = weights[0].tensor;
    const info = (message: string) => ({ severity: 'info' as const, file, message });
    if (smaller > blocks / 100) {
      yield info(
        `${smaller} of ${blocks} MXFP4 blocks have no code beyond 2: their scales were chosen by none of the usual rules (floor, half up, ceiling), perhaps by a search`,
      );
    } else if (three > blocks / 100) {
      yield info(
        `${three} of ${blocks} MXFP4 blocks have 3 as their largest code: scales were rounded up, so that no weight is cut off`,
      );
    } else if (smaller + three === 0) {
      yield info(
        `the largest code of every MXFP4 block is 4 or 6 (${blocks} blocks): scales were rounded down (OCP, GGUF) or half up (compressed-tensors), which codes do not tell apart, and the largest weights may be cut off`,
      );
    }
  },
};

export const mxfp4Checks: readonly Check[] = [scaleRule];
