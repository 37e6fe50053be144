import { NF3_LEVELS, NF4_LEVELS } from '../../formats/entries/floats.js';
import type { StoredTensor } from '../../storage/container.js';
import { roundToF16InPlace } from '../../storage/elementValues.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { describeGroup, presentParts, SCALE_TYPES, sameShape, text } from './shared.js';

const { fround } = Math;

/** Levels by code, as the original keeps them: in binary16, the zero of FP4 at two places. */
const LEVELS: ReadonlyMap<string, readonly number[]> = new Map([
  ['fp4', [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5, 2, 3, 4, 6]],
  ['fp3', [-4, -2, -1, 0, 0, 1, 2, 4]],
  ['nf4', NF4_LEVELS],
  ['nf3', NF3_LEVELS],
]);

function findWeight(
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length !== 2) return undefined;
  const scales = find(`${module}.scales`);
  const negativeScales = find(`${module}.scales2`);
  if (scales?.shape.length !== 2 || !negativeScales) return undefined;
  const [groups, outputs] = scales.shape;
  // Three bits take three words for 32 inputs, four take four.
  const format = text(quantization, 'format') ?? text(quantization, 'fmt') ?? '';
  const bits = quantization.bits;
  const levels = LEVELS.get(`${format.slice(0, 2)}${String(bits)}`);
  const inputs = levels ? (codes.shape[0] * 32) / Math.log2(levels.length) : codes.shape[0];
  const groupSize = inputs / groups;
  let refusal: string | undefined;
  if (!levels)
    refusal = 'its configuration does not say whether codes are FP or NF, and of how many bits';
  else if (codes.shape[1] !== outputs || !sameShape(scales.shape, negativeScales.shape)) {
    refusal = 'its codes and its two kinds of scales do not belong together';
  } else if (!Number.isInteger(groupSize))
    refusal = `${groups} groups do not divide ${inputs} inputs`;
  return {
    name: `${module}.weight`,
    shape: [outputs, inputs],
    parts: presentParts({ codes, scales, negativeScales }),
    parameters: { levels: levels ? `${format.slice(0, 2)}${String(bits)}` : '', groupSize },
    label: `AFPQ ${levels ? `${format.slice(0, 2).toUpperCase()}${String(bits)} ` : ''}${describeGroup(groupSize, inputs)}`,
    refusal,
  };
}

/** AFPQ as its authors pack it: places in a table of levels, positive and negative ones with scales of their own. */
export const afpq: Layout = {
  id: 'afpq',
  codes: { types: ['I32'], endsIn: ['.qweight'] },
  partTypes: { scales: SCALE_TYPES, negativeScales: SCALE_TYPES },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const [outputs, inputs] = shape;
    const groupSize = Number(parameters.groupSize);
    const levels = Float32Array.from(LEVELS.get(String(parameters.levels))!);
    roundToF16InPlace(levels);
    const bits = Math.log2(levels.length);
    const scales = await parts.values('scales');
    const second = await parts.values('negativeScales');
    // Where both signs share a scale, the second is left at zero.
    const negativeScales = second.some((scale) => scale !== 0) ? second : scales;
    const words = (inputs * bits) / 32;
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.columns('codes', firstRow, rows);
        const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, words * rows);
        for (let input = 0; input < inputs; input++) {
          const word = ((input * bits) >>> 5) * rows;
          const shift = (input * bits) & 31;
          const straddles = shift + bits > 32;
          const stored = Math.floor(input / groupSize) * outputs + firstRow;
          for (let row = 0; row < rows; row++) {
            let code = packed[word + row] >>> shift;
            if (straddles) code |= packed[word + rows + row] << (32 - shift);
            const level = levels[code & (levels.length - 1)];
            const scale = level >= 0 ? scales[stored + row] : negativeScales[stored + row];
            target[row * inputs + input] = fround(level * scale);
          }
        }
        // The original multiplies in binary16.
        roundToF16InPlace(target);
      },
    };
  },
};
