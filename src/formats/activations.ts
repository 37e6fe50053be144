import { FormatNameError } from './names.js';
import { exmyFormat } from './entries/floats.js';
import { findFormatEntry } from './catalogue.js';
import type { Minifloat } from './types.js';

/** Which values of an input matrix share a scale, and where the scale comes from. */
export type ActivationScaling =
  /** Each row its own, from the row itself while the model runs. */
  | 'token'
  /** One for all rows, from what calibration saw of them. */
  | 'static'
  /**
   * Each input its own, from calibration: that of the tensor, divided by a power of two (LLM-FP4's pre-shifted
   * exponent bias).
   */
  | 'shifted';

/** A number format for what linear maps take, without options. */
export interface ActivationEntry {
  /** As typed behind "/" of a scheme: "int8-token". */
  readonly name: string;
  /** For tables and charts: "A8". */
  readonly label: string;
  readonly bits: number;
  /** One line for menus. */
  readonly description: string;
  readonly source: string;
  /** What a reader of its numbers should know. */
  readonly notes: readonly string[];
  readonly scaling: ActivationScaling;
  /**
   * The levels before scaling; the largest magnitude is scaled onto the largest of them. Symmetric integers
   * are a float of one binade, whose step is 1.
   */
  readonly levels: Minifloat;
  /** Bits of an exponent; of integers 1. Powers of two of a shifted format are 0 … 2^exponentBits − 1. */
  readonly exponentBits: number;
}

/** How the inputs of one linear map are rounded where scales are known before the model runs. */
export interface FixedRounding {
  readonly levels: Minifloat;
  /** f32; an array has one for each input. Where it is 0, inputs become 0. */
  readonly scale: number | Float32Array;
}

/** A format for activations as applied. */
export interface ActivationFormat {
  /** Canonical name: "int8-token:qkv". */
  readonly id: string;
  readonly entry: ActivationEntry;
  /** Also what comes out of the maps for queries, keys and values is rounded, each row of each map. */
  readonly roundsQueriesKeysValues: boolean;
}

interface Levels {
  readonly name: string;
  readonly label: string;
  readonly bits: number;
  readonly levelsName: string;
  readonly levels: Minifloat;
  readonly exponentBits: number;
  readonly source: string;
  readonly notes: readonly string[];
}

const SMOOTHQUANT = 'SmoothQuant, arXiv 2211.10438';
const LLM_FP4 = 'LLM-FP4, arXiv 2310.16836';

/** Integers −largest … largest. */
function integers(bits: number): Levels {
  const fractionBits = bits - 2;
  const largest = 2 ** (bits - 1) - 1;
  return {
    name: `int${bits}`,
    label: `A${bits}`,
    bits,
    levelsName: `integers −${largest} … ${largest}`,
    levels: { fractionBits, minExponent: fractionBits, largest, ties: 'even' },
    exponentBits: 1,
    source: SMOOTHQUANT,
    notes: [
      'SmoothQuant takes a largest magnitude below 1e-5 as 1e-5; here every row that is not zero keeps its own.',
    ],
  };
}

/** The levels of a weight format. */
function levelsOf(name: string): Minifloat {
  const rule = findFormatEntry(name)?.rule;
  if (rule?.kind !== 'grid' || !rule.grid.minifloat) throw new Error(`${name} has no float levels`);
  return rule.grid.minifloat;
}

const LEVELS: readonly Levels[] = [
  integers(8),
  integers(4),
  {
    name: 'fp8',
    label: 'A FP8',
    bits: 8,
    levelsName: 'E4M3, all codes numbers',
    levels: exmyFormat(4, 3),
    exponentBits: 4,
    source: LLM_FP4,
    notes: ['Its largest level is 480/448 of that of E4M3 with NaN codes, as hardware has it.'],
  },
  {
    name: 'fp4',
    label: 'A FP4',
    bits: 4,
    levelsName: 'E2M1, as fp4-e2m1',
    levels: levelsOf('fp4-e2m1'),
    exponentBits: 2,
    source: LLM_FP4,
    notes: [],
  },
];

/** How labels, descriptions and notes continue for each way to find a scale. */
const SCALINGS = {
  token: { suffix: '', text: 'one scale per token, from its largest magnitude', notes: [] },
  static: {
    suffix: ' static',
    text: 'one scale per tensor, from the largest magnitude in calibration',
    notes: ['What exceeds that magnitude is clamped.'],
  },
  shifted: {
    suffix: ' shifted',
    text: 'one scale per input from calibration, the tensor’s over a power of two (pre-shifted exponent bias)',
    notes: [
      'What exceeds the magnitude that an input had in calibration is clamped.',
      'The powers of two belong into the weights (LLM-FP4); here inputs are rounded with their own scales, which comes to the same.',
    ],
  },
} as const;

/** Every format for activations, in the order of menus. */
export const ACTIVATION_CATALOGUE: readonly ActivationEntry[] = Object.freeze(
  (['token', 'static', 'shifted'] as const).flatMap((scaling) =>
    LEVELS.map(({ name, label, levelsName, notes, ...rest }) => {
      const { suffix, text, notes: more } = SCALINGS[scaling];
      return Object.freeze({
        ...rest,
        name: `${name}-${scaling}`,
        label: `${label}${suffix}`,
        description: `${levelsName}, ${text}`,
        notes: [...notes, ...more],
        scaling,
      });
    }),
  ),
);

/** The option behind a name that rounds queries, keys and values too. */
const QKV = 'qkv';

/** A format of given parts, with its canonical name. */
function makeActivationFormat(
  entry: ActivationEntry,
  roundsQueriesKeysValues: boolean,
): ActivationFormat {
  const id = entry.name + (roundsQueriesKeysValues ? `:${QKV}` : '');
  return { id, entry, roundsQueriesKeysValues };
}

/**
 * Reads the name of a format for activations, NAME[:qkv].
 * @throws FormatNameError naming the part that is wrong
 */
export function parseActivationFormat(text: string): ActivationFormat {
  const [name, ...options] = text.trim().toLowerCase().split(':');
  const fail = (detail: string): never => {
    throw new FormatNameError(`Activation format "${text}": ${detail}`);
  };
  const entry = ACTIVATION_CATALOGUE.find((each) => each.name === name);
  if (!entry) {
    const names = ACTIVATION_CATALOGUE.map((each) => each.name).join(', ');
    return fail(`"${name}" is none of ${names}`);
  }
  const unknown = options.find((option) => option !== QKV);
  if (unknown !== undefined) fail(`option ":${unknown}" is not :${QKV}`);
  if (options.length > 1) fail(`more than one ":${QKV}"`);
  if (options.length > 0 && entry.scaling !== 'token') {
    fail(`":${QKV}" needs scales per token; calibration sees inputs, not outputs`);
  }
  return makeActivationFormat(entry, options.length > 0);
}

/** Label with options: "A8", "A8 +qkv". */
export function activationLabel({ entry, roundsQueriesKeysValues }: ActivationFormat): string {
  return entry.label + (roundsQueriesKeysValues ? ` +${QKV}` : '');
}
