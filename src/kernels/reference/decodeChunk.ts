import { saturateF32 } from '../../formats/float32.js';
import { listGrids, minifloatSignBit } from '../../formats/grid.js';
import type { Grid, NumberFormat, Rule, ScaleDtype } from '../../formats/types.js';
import type { ChunkShape, EncodedChunk } from '../types.js';
import { bf16FromBits, f16FromBits } from '../../storage/elementValues.js';
import { dequantizeGgmlBlock, GGML_TYPES } from './ggml/index.js';
import { groupedShape } from './groups.js';

const { fround } = Math;

/** What is stored for the group that a code belongs to. */
interface StoredGroup {
  readonly scale: number;
  readonly negativeScale?: number;
  readonly zeroPoint: number;
  readonly tensorScale?: number;
  readonly grid: number;
}

/** The value of a code. */
type Decoder = (code: number, group: StoredGroup) => number;

function denormalDecoder({ bits, special }: Extract<Rule, { kind: 'denormal-integer' }>): Decoder {
  const denormals = new Map([
    [2 ** bits - 2, special],
    [2 ** bits - 1, -special],
  ]);
  return (code, { scale, zeroPoint }) => fround(scale * (denormals.get(code) ?? code - zeroPoint));
}

/** The level of a code: by place, or by sign and magnitude where the levels are those of a float. */
function levelOf(grid: Grid, code: number): number {
  if (!grid.minifloat) return grid.levels[code];
  const signBit = minifloatSignBit(grid);
  const magnitudes = grid.levels.filter((level) => level >= 0);
  return code < signBit ? magnitudes[code] : -magnitudes[code - signBit];
}

function gridDecoder(grids: readonly Grid[]): Decoder {
  return (code, { scale, negativeScale = scale, tensorScale, grid }) => {
    const level = levelOf(grids[grid], code);
    const stored = level < 0 ? negativeScale : scale;
    const whole = tensorScale === undefined ? stored : saturateF32(fround(tensorScale * stored));
    return fround(level * whole);
  };
}

const pattern = new DataView(new ArrayBuffer(4));
const CASTS: Readonly<Record<ScaleDtype, (code: number) => number>> = {
  f16: f16FromBits,
  bf16: bf16FromBits,
  f32(code) {
    pattern.setUint32(0, code);
    return pattern.getFloat32(0);
  },
};

/** Rules that give a code for each weight. */
type CodeRule = Exclude<Rule, { kind: 'ggml' }>;

/** How the codes of each kind of rule decode; block formats decode whole blocks. */
const DECODERS: {
  readonly [Kind in CodeRule['kind']]: (rule: Extract<CodeRule, { kind: Kind }>) => Decoder;
} = {
  integer:
    () =>
    (code, { scale, zeroPoint }) =>
      fround(scale * (code - zeroPoint)),
  'denormal-integer': denormalDecoder,
  grid: ({ grid }) => gridDecoder([grid]),
  'block-choice': ({ choices }) => gridDecoder(listGrids(choices)),
  cast: ({ dtype }) => CASTS[dtype],
};

function decodeBlocks(
  { type: name }: Extract<Rule, { kind: 'ggml' }>,
  packed: Uint8Array,
  { rows, columns }: ChunkShape,
): Float32Array {
  const type = GGML_TYPES[name];
  const output = new Float32Array(rows * columns);
  const values = new Float32Array(type.blockSize);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += type.blockSize) {
      dequantizeGgmlBlock(type, packed.subarray(at, at + type.blockBytes), values);
      output.set(values.subarray(0, columns - column), row * columns + column);
      at += type.blockBytes;
    }
  }
  return output;
}

/**
 * Decodes what {@link EncodedChunk} holds, with nothing but what a file would hold and the format's
 * levels.
 * @returns weights [rows × columns], to the bits that quantizing and dequantizing gives
 */
export function decodeChunk(
  format: NumberFormat,
  encoded: EncodedChunk,
  shape: ChunkShape,
): Float32Array {
  const { rule } = format.entry;
  const { codes, scales, negativeScales, zeroPoints, tensorScale, grids, packedBlocks } = encoded;
  if (rule.kind === 'ggml') return decodeBlocks(rule, packedBlocks ?? new Uint8Array(0), shape);
  const decode = (DECODERS[rule.kind] as (rule: CodeRule) => Decoder)(rule);
  const { columns, groupColumns } = groupedShape(format, shape);
  const groupsPerRow = Math.ceil(columns / groupColumns);
  return Float32Array.from(codes, (code, i) => {
    const group = Math.floor(i / columns) * groupsPerRow + Math.floor((i % columns) / groupColumns);
    return decode(code, {
      scale: scales[group],
      negativeScale: negativeScales?.[group],
      zeroPoint: zeroPoints?.[group] ?? 0,
      tensorScale,
      grid: grids?.[group] ?? 0,
    });
  });
}
