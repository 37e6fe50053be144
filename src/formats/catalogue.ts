import {
  BITSANDBYTES_ENTRIES,
  GGML_ENTRIES,
  MX_ENTRIES,
  NVFP4_ENTRIES,
  UNLISTED_BLOCKS,
} from './entries/blocks.js';
import { CAST_ENTRIES } from './entries/casts.js';
import {
  makeFloatEntries,
  makeNormalFloatEntries,
  makeStraightThroughEntries,
} from './entries/floats.js';
import { makeDenormalEntries, makeIntegerEntries, UNLISTED_INTEGERS } from './entries/integers.js';
import { NVFP4_VARIANTS, SPECIAL_VALUE_ENTRIES } from './entries/specialValues.js';
import type { FormatEntry } from './types.js';

const INTEGER_BITS = [4, 3, 2, 5, 6, 7, 8];

/** Every listed format, in the order of menus. */
export const FORMAT_CATALOGUE: readonly FormatEntry[] = Object.freeze(
  [
    ...INTEGER_BITS.flatMap(makeIntegerEntries),
    ...makeFloatEntries(2, 1),
    ...makeFloatEntries(1, 2),
    ...makeFloatEntries(3, 0),
    ...makeFloatEntries(2, 0),
    ...makeFloatEntries(1, 1),
    ...makeNormalFloatEntries(4),
    ...makeNormalFloatEntries(3),
    ...makeDenormalEntries(4),
    ...makeDenormalEntries(3),
    ...SPECIAL_VALUE_ENTRIES,
    ...MX_ENTRIES,
    ...NVFP4_ENTRIES,
    ...NVFP4_VARIANTS,
    ...BITSANDBYTES_ENTRIES,
    ...GGML_ENTRIES,
    ...makeFloatEntries(2, 3),
    ...makeFloatEntries(3, 2),
    ...makeFloatEntries(4, 3),
    ...makeFloatEntries(5, 2),
    ...CAST_ENTRIES,
  ].map((entry) => Object.freeze(entry)),
);

/** Other spellings of listed formats. */
export const FORMAT_ALIASES: ReadonlyMap<string, string> = new Map([
  ...INTEGER_BITS.map((bits) => [`int${bits}`, `int${bits}-asym`] as const),
  ['fp4', 'fp4-e2m1'],
  ['fp3', 'fp3-e2m0'],
  ['afp4', 'afp4-e2m1'],
  ['afp3', 'afp3-e2m0'],
]);

const known = new Map(
  [
    ...FORMAT_CATALOGUE,
    ...UNLISTED_INTEGERS,
    ...UNLISTED_BLOCKS,
    ...makeStraightThroughEntries(4),
    ...makeStraightThroughEntries(3),
  ].map((entry) => [entry.name, entry]),
);

/** `fpN-eXmY` of any shape, made when first asked for. */
function floatByFormula(name: string): FormatEntry | undefined {
  const match = /^a?fp([1-8])-e([1-7])m([0-6])(-even)?$/.exec(name);
  if (!match) return undefined;
  const [bits, exponentBits, fractionBits] = match.slice(1, 4).map(Number);
  if (bits !== 1 + exponentBits + fractionBits) return undefined;
  for (const entry of makeFloatEntries(exponentBits, fractionBits, match[4] !== undefined)) {
    known.set(entry.name, Object.freeze(entry));
  }
  return known.get(name);
}

/** The catalogue entry of a format name without group and options. */
export function findFormatEntry(name: string): FormatEntry | undefined {
  const canonical = FORMAT_ALIASES.get(name) ?? name;
  return known.get(canonical) ?? floatByFormula(canonical);
}
