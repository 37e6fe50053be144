import {
  activationLabel,
  parseActivationFormat,
  type ActivationFormat,
} from '../formats/activations.js';
import { FormatNameError, formatLabel, parseFormat, type NumberFormat } from '../formats/index.js';
import { findMethod, METHODS } from './index.js';
import { CONTEXT_OPTION } from './steps.js';
import type { AppliedMethod, CalibrationMethod, MethodOption, StepOptions } from './types.js';

/**
 * How weights, and where it says so activations, are quantized: a number format, the methods that choose its
 * scales and codes, and the format of what linear maps take.
 */
export interface QuantizationScheme {
  /** Canonical name, "int4-asym:g128+gptq/int8-token". */
  readonly id: string;
  readonly format: NumberFormat;
  /** In the order in which they run; none: rounded to nearest. */
  readonly methods: readonly AppliedMethod[];
  /** Absent: activations stay as they are. */
  readonly activations?: ActivationFormat;
}

/** Searches that belong to a number format and need no activations. */
const SEARCHES = ['mse', 'clip'];

/**
 * Reads a scheme's name: FORMAT[+SEARCH][+METHOD[:OPTION[=VALUE]]…]…[/ACTIVATIONS]. In FORMAT's place may stand
 * a method with a notation of its own.
 * @throws FormatNameError naming the part that is wrong
 */
export function parseScheme(text: string): QuantizationScheme {
  const whole = text.trim().toLowerCase();
  const [weights, activationsText, ...more] = whole.split('/');
  if (more.length > 0) throw new FormatNameError(`Format "${text}": more than one "/"`);
  const [base, ...parts] = expandNotation(weights).split('+');
  const searches = parts.filter((part) => SEARCHES.includes(part));
  const format = parseFormat([base, ...searches].join('+'));
  const methods = parts
    .filter((part) => !SEARCHES.includes(part))
    .map((part) => parseMethod(part, whole));
  const activations =
    activationsText === undefined ? undefined : parseActivationFormat(activationsText);
  check(whole, format, methods, activations);
  return makeScheme(format, methods, activations);
}

/** A scheme of given parts, with its canonical name. */
export function makeScheme(
  format: NumberFormat,
  methods: readonly AppliedMethod[] = [],
  activations?: ActivationFormat,
): QuantizationScheme {
  const own = methods.find(({ method }) => method.notation);
  const weights = own
    ? formatNotation(own)
    : format.id + methods.map((applied) => `+${formatMethod(applied)}`).join('');
  const id = weights + (activations ? `/${activations.id}` : '');
  return { id, format, methods, activations };
}

/** A method with the options that differ from its defaults: "gptq:act-order". */
export function formatMethod({ method, options }: AppliedMethod): string {
  const parts = optionsOf(method)
    .filter(({ name, default: usual }) => (options[name] ?? usual) !== usual)
    .map(({ name }) => (options[name] === true ? name : `${name}=${options[name]}`));
  return [method.name, ...parts].join(':');
}

/** The scheme of a method with a notation of its own, with default options. */
export function notationScheme(method: CalibrationMethod): QuantizationScheme {
  return parseScheme(formatNotation({ method, options: defaultOptions(method) }));
}

/** "vptq-v4-k256:perm", of a method with a notation of its own. */
function formatNotation({ method, options }: AppliedMethod): string {
  const { letters } = method.notation!;
  const numbers = letters
    .filter((letter) => options[letter] !== 0)
    .map((letter) => `${letter}${String(options[letter])}`);
  // What stands in the name is left out behind it.
  const named = Object.fromEntries(
    method.options.filter(({ name }) => letters.includes(name)).map((o) => [o.name, o.default]),
  );
  const [, ...others] = formatMethod({ method, options: { ...options, ...named } }).split(':');
  return [[method.name, ...numbers].join('-'), ...others].join(':');
}

/** "vptq-v4-k256:perm" as "f16+vptq:v=4:k=256:perm"; other texts as they are. */
function expandNotation(weights: string): string {
  const [base, ...parts] = weights.split('+');
  const [name, ...options] = base.split(':');
  const [head, ...numbers] = name.split('-');
  const { notation } = findMethod(head) ?? {};
  if (!notation) return weights;
  const given = numbers.map((text) => {
    const letter = notation.letters.find((each) => text.startsWith(each));
    if (letter !== undefined) return `${letter}=${text.slice(letter.length)}`;
    const known = notation.letters.map((each) => `-${each}N`).join(', ');
    throw new FormatNameError(`Format "${weights}": "-${text}" is not one of ${known}`);
  });
  return [notation.format, [head, ...given, ...options].join(':'), ...parts].join('+');
}

/** Label for tables: "INT4 g128 GPTQ · A8". */
export function schemeLabel({ format, methods, activations }: QuantizationScheme): string {
  const own = methods.find(({ method }) => method.notation);
  const label = own
    ? notationLabel(own)
    : [formatLabel(format), ...methods.map(methodLabel)].join(' ');
  return activations ? `${label} · ${activationLabel(activations)}` : label;
}

/** Label of the methods alone: "AWQ, GPTQ (act-order)"; "" for none. */
export function methodsLabel({ methods }: QuantizationScheme): string {
  return methods.map(methodLabel).join(', ');
}

function methodLabel(applied: AppliedMethod): string {
  const [, ...options] = formatMethod(applied).split(':');
  const { label } = applied.method;
  return options.length === 0 ? label : `${label} (${options.join(', ')})`;
}

/** "VPTQ v4 k256 (perm)". */
function notationLabel(applied: AppliedMethod): string {
  const [name, ...options] = formatNotation(applied).split(':');
  const [, ...numbers] = name.split('-');
  const label = [applied.method.label, ...numbers].join(' ');
  return options.length === 0 ? label : `${label} (${options.join(', ')})`;
}

/** Every option that a method can be given. */
export function optionsOf({ options, defaults }: CalibrationMethod): readonly MethodOption[] {
  return defaults.windows > 0 ? [...options, CONTEXT_OPTION] : options;
}

/** Every option of a method as it is by default. */
export function defaultOptions({ options }: CalibrationMethod): StepOptions {
  return Object.fromEntries(options.map(({ name, default: usual }) => [name, usual]));
}

function parseMethod(text: string, whole: string): AppliedMethod {
  const [name, ...options] = text.split(':');
  const method = findMethod(name);
  if (!method) {
    const known = [...SEARCHES, ...METHODS.map((each) => each.name)].join(', ');
    throw new FormatNameError(`Format "${whole}": "+${name}" is not one of ${known}`);
  }
  const values: Record<string, number | boolean | string> = { ...defaultOptions(method) };
  for (const part of options) {
    const [key, ...rest] = part.split('=');
    const option = optionsOf(method).find((each) => each.name === key);
    if (!option) {
      const known =
        optionsOf(method)
          .map((each) => each.name)
          .join(', ') || 'none';
      throw new FormatNameError(
        `Format "${whole}": ${method.name} has no option "${key}" (it has ${known})`,
      );
    }
    values[key] = parseValue(option, rest.join('='), rest.length > 0, whole);
  }
  return { method, options: values };
}

function parseValue(
  { name, default: usual, values, range, isWhole = false }: MethodOption,
  text: string,
  isGiven: boolean,
  whole: string,
): number | boolean | string {
  const fail = (allowed: string): never => {
    throw new FormatNameError(`Format "${whole}": "${name}" takes ${allowed}`);
  };
  if (typeof usual === 'boolean') return isGiven ? fail('no value') : true;
  if (!isGiven) fail('a value');
  if (typeof usual === 'string') {
    return values && !values.includes(text) ? fail(`one of ${values.join(', ')}`) : text;
  }
  const number = Number(text);
  const [least, most] = range ?? [0, Number.MAX_VALUE];
  const isAllowed = text !== '' && number >= least && number <= most;
  if (isAllowed && (!isWhole || Number.isInteger(number))) return number;
  return fail(`a ${isWhole ? 'whole ' : ''}number${range ? ` from ${least} to ${most}` : ''}`);
}

/** Refuses what methods cannot do, and orders in which they would undo each other. */
function check(
  whole: string,
  format: NumberFormat,
  methods: readonly AppliedMethod[],
  activations: ActivationFormat | undefined,
): void {
  const fail = (detail: string): never => {
    throw new FormatNameError(`Format "${whole}": ${detail}`);
  };
  const names = methods.map(({ method }) => method.name);
  if (new Set(names).size < names.length) fail('a method is there twice');
  const own = methods.find(({ method }) => method.notation);
  if (own && methods.length > 1) fail(`${own.method.name} cannot be combined with other methods`);
  const quantizing = methods.filter(({ method }) => method.quantize);
  if (quantizing.length > 1) {
    fail(`${quantizing.map(({ method }) => method.name).join(' and ')} both choose the codes`);
  }
  if (quantizing.length === 1 && methods.at(-1) !== quantizing[0]) {
    fail(`${quantizing[0].method.name} chooses the codes, so it comes last`);
  }
  for (const { method } of methods) {
    const reason = method.refuses(format, activations);
    if (reason) fail(reason);
  }
}
