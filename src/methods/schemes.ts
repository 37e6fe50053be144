import { parseActivationFormat, type ActivationFormat } from '../formats/activations.js';
import { FormatNameError, formatLabel, parseFormat, type NumberFormat } from '../formats/index.js';
import { findMethod, METHODS } from './index.js';
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
 * Reads a scheme's name: FORMAT[+SEARCH][+METHOD[:OPTION[=VALUE]]…]…[/ACTIVATIONS].
 * @throws FormatNameError naming the part that is wrong
 */
export function parseScheme(text: string): QuantizationScheme {
  const whole = text.trim().toLowerCase();
  const [weights, activationsText, ...more] = whole.split('/');
  if (more.length > 0) throw new FormatNameError(`Format "${text}": more than one "/"`);
  const [base, ...parts] = weights.split('+');
  const searches = parts.filter((part) => SEARCHES.includes(part));
  const format = parseFormat([base, ...searches].join('+'));
  const methods = parts
    .filter((part) => !SEARCHES.includes(part))
    .map((part) => parseMethod(part, whole));
  check(whole, format, methods);
  const activations =
    activationsText === undefined ? undefined : parseActivationFormat(activationsText);
  return makeScheme(format, methods, activations);
}

/** A scheme of given parts, with its canonical name. */
export function makeScheme(
  format: NumberFormat,
  methods: readonly AppliedMethod[] = [],
  activations?: ActivationFormat,
): QuantizationScheme {
  const id =
    format.id +
    methods.map((applied) => `+${formatMethod(applied)}`).join('') +
    (activations ? `/${activations.id}` : '');
  return { id, format, methods, activations };
}

/** A method with the options that differ from its defaults: "gptq:act-order". */
export function formatMethod({ method, options }: AppliedMethod): string {
  const parts = method.options
    .filter(({ name, default: usual }) => options[name] !== usual)
    .map(({ name }) => (options[name] === true ? name : `${name}=${options[name]}`));
  return [method.name, ...parts].join(':');
}

/** Label for tables: "INT4 g128 GPTQ · A8". */
export function schemeLabel({ format, methods, activations }: QuantizationScheme): string {
  const label = [formatLabel(format), ...methods.map(methodLabel)].join(' ');
  return activations ? `${label} · ${activations.entry.label}` : label;
}

function methodLabel(applied: AppliedMethod): string {
  const [, ...options] = formatMethod(applied).split(':');
  const { label } = applied.method;
  return options.length === 0 ? label : `${label} (${options.join(', ')})`;
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
    const option = method.options.find((each) => each.name === key);
    if (!option) {
      const known = method.options.map((each) => each.name).join(', ') || 'none';
      throw new FormatNameError(
        `Format "${whole}": ${method.name} has no option "${key}" (it has ${known})`,
      );
    }
    values[key] = parseValue(option, rest.join('='), rest.length > 0, whole);
  }
  return { method, options: values };
}

function parseValue(
  { name, default: usual, values }: MethodOption,
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
  return text !== '' && Number.isFinite(number) && number >= 0 ? number : fail('a number');
}

/** Refuses what methods cannot do, and orders in which they would undo each other. */
function check(whole: string, format: NumberFormat, methods: readonly AppliedMethod[]): void {
  const fail = (detail: string): never => {
    throw new FormatNameError(`Format "${whole}": ${detail}`);
  };
  const names = methods.map(({ method }) => method.name);
  if (new Set(names).size < names.length) fail('a method is there twice');
  const quantizing = methods.filter(({ method }) => method.quantize);
  if (quantizing.length > 1) {
    fail(`${quantizing.map(({ method }) => method.name).join(' and ')} both choose the codes`);
  }
  if (quantizing.length === 1 && methods.at(-1) !== quantizing[0]) {
    fail(`${quantizing[0].method.name} chooses the codes, so it comes last`);
  }
  for (const { method } of methods) {
    const reason = method.refuses(format);
    if (reason) fail(reason);
  }
}
