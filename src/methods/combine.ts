import { parseActivationFormat } from '../formats/activations.js';
import { parseFormat, type NumberFormat } from '../formats/index.js';
import { findMethod } from './index.js';
import { makeScheme, notationScheme, defaultOptions, type QuantizationScheme } from './schemes.js';

/** What a user ticks; every combination is meant. */
export interface SchemeChoices {
  /** Names of number formats, with their groups. */
  readonly formats: readonly string[];
  /** Names of methods, "" for rounding to nearest; none is the same as that. */
  readonly methods: readonly string[];
  /** Names of formats for activations, "" for none; none is the same as that. */
  readonly activations: readonly string[];
}

/** Combinations of choices. */
export interface CombinedSchemes {
  readonly schemes: readonly QuantizationScheme[];
  /** Why others are left out, each reason once, in one sentence. */
  readonly refused: readonly string[];
}

/**
 * Every format with every method and every format of activations, each method with its default options, format
 * by format; a method with a notation of its own (VPTQ) once, whatever the formats.
 */
export function combineSchemes({ formats, methods, activations }: SchemeChoices): CombinedSchemes {
  const refused = new Set<string>();
  const chosen = methods.length > 0 ? methods : [''];
  const inputs = (activations.length > 0 ? activations : ['']).map((name) =>
    name === '' ? undefined : parseActivationFormat(name),
  );
  const schemes: QuantizationScheme[] = [];
  const add = (format: NumberFormat, name: string) => {
    const method = findMethod(name);
    const applied = method ? [{ method, options: defaultOptions(method) }] : [];
    for (const activation of inputs) {
      const reason = method?.refuses(format, activation);
      if (reason === undefined) schemes.push(makeScheme(format, applied, activation));
      else refused.add(reason);
    }
  };
  const isOwn = (name: string) => findMethod(name)?.notation !== undefined;
  for (const format of formats.map(parseFormat)) {
    for (const name of chosen) if (!isOwn(name)) add(format, name);
  }
  for (const name of chosen.filter(isOwn)) add(notationScheme(findMethod(name)!).format, name);
  return { schemes, refused: [...refused] };
}
