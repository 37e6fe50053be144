import type { StoredTensor } from '../../storage/container.js';
import { quoted } from '../../storage/errors.js';
import type { FoundWeight, Layout, LayoutContext, QuantizationConfig } from '../layout.js';
import { asNibbles, lookUpNibbles, scaleAndAdd, unpackDense } from '../loops.js';
import {
  describeGroup,
  presentParts,
  SCALE_TYPES,
  sameShape,
  section,
  text,
  wholeNumber,
} from './shared.js';

/** What the configuration says of one module: its own entry before that of the whole model. */
function settingsOf(module: string, config: QuantizationConfig): QuantizationConfig {
  return { ...config, ...section(config, module) };
}

function findWeight(
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  const scales = find(`${module}.scales`);
  if (!scales || codes.shape.length < 2) return undefined;
  const biases = find(`${module}.biases`);
  const settings = settingsOf(module, quantization);
  const mode = text(settings, 'mode') ?? 'affine';
  const groupSize = wholeNumber(settings, 'group_size');
  const words = codes.shape[codes.shape.length - 1];
  const leading = codes.shape.slice(0, -1);
  const groups = scales.shape.at(-1) ?? 0;
  const inputs = groupSize === undefined ? undefined : groups * groupSize;
  const bits = inputs === undefined ? undefined : (words * 32) / inputs;
  const known = bits !== undefined && Number.isInteger(bits) && bits >= 2 && bits <= 8;
  let refusal: string | undefined;
  if (mode !== 'affine') refusal = `mode ${quoted(mode)} is not known here`;
  else if (!known) refusal = 'config.json does not say its group size ("quantization")';
  else if (!biases) refusal = 'its biases are missing';
  else if (
    !sameShape(scales.shape.slice(0, -1), leading) ||
    !sameShape(scales.shape, biases.shape)
  ) {
    refusal = `codes [${codes.shape.join(', ')}], scales [${scales.shape.join(', ')}] and biases [${biases.shape.join(', ')}] do not belong together`;
  }
  return {
    name: codes.name,
    shape: [...leading, known ? inputs! : words],
    parts: presentParts({ codes, scales, biases }),
    parameters: { bits: bits ?? 0, groupSize: groupSize ?? 0 },
    label: known ? `MLX ${bits}-bit ${describeGroup(groupSize!, inputs!, true)}` : 'MLX',
    refusal,
  };
}

/** MLX, 2 to 8 bits: codes along the inputs without gaps, each group with a scale and a bias. */
export const mlx: Layout = {
  id: 'mlx',
  codes: { types: ['U32'], endsIn: ['.weight'] },
  partTypes: { scales: SCALE_TYPES, biases: SCALE_TYPES },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const columns = shape[shape.length - 1];
    const { bits, groupSize } = parameters as Readonly<Record<string, number>>;
    const words = (columns * bits) / 32;
    const groups = columns / groupSize;
    const scales = await parts.values('scales');
    const biases = await parts.values('biases');
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', firstRow * words * 4, rows * words * 4);
        const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * words);
        const codes = new Uint8Array(columns);
        const nibbles = asNibbles(bytes);
        const values = new Float32Array(16);
        for (let row = 0; row < rows; row++) {
          if (bits !== 4) {
            const ofRow = packed.subarray(row * words, (row + 1) * words);
            unpackDense(ofRow, bits, codes, { count: columns });
          }
          for (let group = 0; group < groups; group++) {
            const stored = (firstRow + row) * groups + group;
            const scale = scales[stored];
            const bias = biases[stored];
            const code = group * groupSize;
            const run = { code, at: row * columns + code, count: groupSize };
            if (bits === 4) {
              for (let each = 0; each < 16; each++) values[each] = scale * each + bias;
              lookUpNibbles(nibbles, values, false, { ...run, code: run.at }, target);
            } else scaleAndAdd(codes, scale, bias, run, target);
          }
        }
      },
    };
  },
};
