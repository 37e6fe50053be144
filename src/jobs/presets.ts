import { parseScheme } from '../methods/schemes.js';

/** Formats that are compared with each other: in a paper, or because people choose among them. */
export interface FormatPreset {
  readonly name: string;
  /** One line for menus. */
  readonly description: string;
  /** Canonical names of schemes. */
  readonly formats: readonly string[];
  /** What a reader of its numbers must know. */
  readonly note: string;
}

const ids = (names: readonly string[]) => names.map((name) => parseScheme(name).id);

const OTHER_MODELS =
  'The paper’s numbers are of other models and texts, and can differ in their order.';

/** Tokens of calibration windows, short to long. */
const LENGTHS = [16, 32, 64, 128, 256];

export const FORMAT_PRESETS: readonly FormatPreset[] = Object.freeze([
  {
    name: '4-bit',
    description: 'Four bits: INT, FP, NF, AFPQ, dINT, MX, NVFP4 and GGUF side by side',
    formats: ids([
      ...['int4', 'fp4', 'nf4', 'afp4', 'anf4', 'dint4', 'mxfp4', 'amxfp4', 'nvfp4'],
      ...['q4_0', 'q4_k', 'iq4_nl'],
    ]),
    note: 'Groups of 128 where the size is a choice; bits per weight differ with scales and zero points.',
  },
  {
    name: '3-bit',
    description: 'Three bits: INT, FP, NF, AFPQ, dINT and GGUF side by side',
    formats: ids(['int3', 'fp3', 'nf3', 'afp3', 'anf3', 'dint3', 'q3_k']),
    note: 'Groups of 128 where the size is a choice; bits per weight differ with scales and zero points.',
  },
  {
    name: 'afpq-3bit',
    description: 'AFPQ, arXiv 2311.01792: 3-bit INT, FP, NF and AFPQ, each by RTN, GPTQ and AWQ',
    formats: ids(
      ['int3', 'fp3', 'nf3', 'afp3', 'anf3'].flatMap((name) =>
        ['', '+gptq', '+awq'].map((method) => `${name}:g128${method}`),
      ),
    ),
    note: `${OTHER_MODELS} AFPQ’s FP3 and NF3 have two scales (afp3, anf3).`,
  },
  {
    name: 'dint-w4a8',
    description:
      'dINT, arXiv 2311.05161: INT4 and dINT4 with INT8 activations, with AQAS and without',
    formats: ids(
      ['int4', 'dint4'].flatMap((name) =>
        ['', '+aqas'].map((method) => `${name}:g128${method}/int8-token`),
      ),
    ),
    note: `${OTHER_MODELS} dINT and AQAS are reconstructed: there is no public code.`,
  },
  {
    name: 'slac',
    description: 'SLAC, arXiv 2311.05161: one method calibrated on sequences of several lengths',
    formats: ids(LENGTHS.map((length) => `dint4:g128+aqas:context=${length}/int8-token`)),
    note: `${OTHER_MODELS} Each length sees the same number of tokens.`,
  },
]);

/** A preset by its name. */
export function findPreset(name: string): FormatPreset | undefined {
  return FORMAT_PRESETS.find((preset) => preset.name === name);
}
