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
  /** Combinations that there are not, with the reason, in one sentence each. */
  readonly refused: readonly string[];
}

/**
 * Every format with every method and every format of activations, each method with its default options, format
 * by format; a method with a notation of its own (VPTQ) once, whatever the formats.
 */
export function combineSchemes({ formats, methods, activations }: SchemeChoices): CombinedSchemes {
  const refused: string[] = [];
  const weights: { readonly format: NumberFormat; readonly method: string }[] = [];
  const chosen = methods.length > 0 ? methods : [''];
  const ofFormats = chosen.filter((name) => !findMethod(name)?.notation);
  for (const format of formats.map(parseFormat)) {
    for (const method of ofFormats) {
      const reason = findMethod(method)?.refuses(format);
      if (reason === undefined) weights.push({ format, method });
      else refused.push(reason);
    }
  }
  const own = chosen.flatMap((name) => {
    const method = findMethod(name);
    return method?.notation ? [notationScheme(method)] : [];
  });
  const inputs = (activations.length > 0 ? activations : ['']).map((name) =>
    name === '' ? undefined : parseActivationFormat(name),
  );
  const schemes = [
    ...weights.flatMap(({ format, method: name }) => {
      const method = findMethod(name);
      const applied = method ? [{ method, options: defaultOptions(method) }] : [];
      return inputs.map((activation) => makeScheme(format, applied, activation));
    }),
    ...own.flatMap(({ format, methods: applied }) =>
      inputs.map((activation) => makeScheme(format, applied, activation)),
    ),
  ];
  return { schemes, refused };
}
