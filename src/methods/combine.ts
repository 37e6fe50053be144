import { ACTIVATION_CATALOGUE, parseActivationFormat } from '../formats/activations.js';
import {
  allowsSearch,
  makeFormat,
  parseFormat,
  type NumberFormat,
  type RangeSearch,
} from '../formats/index.js';
import { findMethod } from './index.js';
import { makeScheme, notationScheme, defaultOptions, type QuantizationScheme } from './schemes.js';
import type { CalibrationMethod } from './types.js';

/** Searches for better ranges than the extremes, as a choice beside methods: rounding to nearest in another range. */
export const RANGE_SEARCHES = Object.freeze([
  { name: 'mse', label: 'Nearest in the range of least error' },
  { name: 'clip', label: 'Nearest in the best clipped range' },
] as const);

/** What a user ticks; every combination is meant. */
export interface SchemeChoices {
  /** Names of number formats, with their groups. */
  readonly formats: readonly string[];
  /** Names of methods or of {@link RANGE_SEARCHES}, "" for rounding to nearest; none is the same as that. */
  readonly methods: readonly string[];
  /** Names of formats for activations, "" for none; none is the same as that. */
  readonly activations: readonly string[];
}

/** Combinations of choices. */
export interface CombinedSchemes {
  readonly schemes: readonly QuantizationScheme[];
  /** Combinations that there are not, with the reason, in one sentence each. */
  readonly refused: readonly string[];
}

/**
 * Every format with every method and every format of activations, each method with its default options, format
 * by format; a method with a notation of its own (VPTQ) once, whatever the formats.
 */
export function combineSchemes({ formats, methods, activations }: SchemeChoices): CombinedSchemes {
  const refused = new Set<string>();
  const chosen = methods.length > 0 ? methods : [''];
  const ofFormats = chosen.filter((name) => !findMethod(name)?.notation);
  const inputs = (activations.length > 0 ? activations : ['']).map((name) =>
    name === '' ? undefined : parseActivationFormat(name),
  );
  const schemes: QuantizationScheme[] = [];
  for (const format of formats.map(parseFormat)) {
    for (const name of ofFormats) {
      const search = RANGE_SEARCHES.find((each) => each.name === name)?.name;
      if (search) {
        const reason = refusesSearch(format, search);
        if (reason !== undefined) refused.add(reason);
        else {
          const searched = makeFormat(format.entry, format.group, search);
          schemes.push(...inputs.map((activation) => makeScheme(searched, [], activation)));
        }
        continue;
      }
      const method = findMethod(name);
      const applied = method ? [{ method, options: defaultOptions(method) }] : [];
      for (const activation of inputs) {
        const reason = method?.refuses(format, activation);
        if (reason === undefined) schemes.push(makeScheme(format, applied, activation));
        else refused.add(reason);
      }
    }
  }
  const own = chosen.flatMap((name) => {
    const method = findMethod(name);
    return method?.notation ? [notationScheme(method)] : [];
  });
  for (const { format, methods: applied } of own) {
    schemes.push(...inputs.map((activation) => makeScheme(format, applied, activation)));
  }
  return { schemes, refused: [...refused] };
}

/** Why a format has no such search; undefined where it has. */
function refusesSearch({ entry, group }: NumberFormat, search: RangeSearch): string | undefined {
  if (!allowsSearch(entry)) return `${entry.label} has no range to search for`;
  if (group.kind === 'tensor') return `+${search} needs groups of a row or less`;
  return undefined;
}

/** Whether a method can be used with a format, in its groups or a row each, and some format of activations or none. */
export function allowsFormat({ refuses }: CalibrationMethod, format: NumberFormat): boolean {
  const { entry, search } = format;
  const formats = entry.fixedGroup
    ? [format]
    : [format, makeFormat(entry, { kind: 'row' }, search)];
  const inputs = [
    undefined,
    ...ACTIVATION_CATALOGUE.map(({ name }) => parseActivationFormat(name)),
  ];
  return formats.some((each) =>
    inputs.some((activations) => refuses(each, activations) === undefined),
  );
}
