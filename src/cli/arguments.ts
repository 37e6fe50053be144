import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { parseFormat } from '../formats/index.js';
import type { ScaleDtype } from '../formats/index.js';
import { UsageError } from './usageError.js';

interface JobArguments {
  readonly path: string;
  /** Globs over tensor names; absent for the command's default. */
  readonly tensorGlobs?: readonly string[];
  readonly json: boolean;
  readonly quiet: boolean;
  readonly threads?: number;
  readonly backend: 'wasm' | 'reference';
}

export interface InspectArguments extends JobArguments {
  readonly command: 'inspect';
  readonly stats: boolean;
  /** Columns per group, 0 for whole rows. */
  readonly groupSize: number;
}

export interface QuantizeArguments extends JobArguments {
  readonly command: 'quantize';
  readonly format: string;
  readonly out: string;
  readonly scaleDtype: ScaleDtype;
}

export interface CompareArguments extends JobArguments {
  readonly command: 'compare';
  /** Canonical names, each once, in the order given. */
  readonly formats: readonly string[];
  readonly scaleDtype: ScaleDtype;
  readonly csv: boolean;
}

/** What a command line asks for, checked as far as that is possible without reading a file. */
export type CommandLine =
  | { readonly command: 'help'; readonly topic?: string }
  | { readonly command: 'version' }
  | { readonly command: 'formats'; readonly json: boolean }
  | InspectArguments
  | QuantizeArguments
  | CompareArguments;

const COMMON = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  threads: { type: 'string' },
  backend: { type: 'string' },
  tensor: { type: 'string', multiple: true },
} as const satisfies ParseArgsConfig['options'];

/** Options of the contract that this version refuses by name, rather than as a misspelling. */
const PERPLEXITY = {
  text: { type: 'string' },
  context: { type: 'string' },
  windows: { type: 'string' },
  'per-document': { type: 'string' },
  'token-ids': { type: 'string' },
  'save-logits': { type: 'string' },
  'per-layer': { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

const SCALE_DTYPES: readonly string[] = ['f16', 'bf16', 'f32'] satisfies ScaleDtype[];

type Options = NonNullable<ParseArgsConfig['options']>;

function parse<const T extends Options>(command: string, args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // Node adds advice about "--" after the first sentence; the help says it shorter.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split('. ')[0].replace(/\s+/g, ' '), command);
  }
}

function wholeNumber(command: string, option: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || value < least) {
    throw new UsageError(`--${option} "${text}" is not a whole number from ${least}`, command);
  }
  return value;
}

function oneOf<T extends string>(
  command: string,
  option: string,
  text: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((each) => each === text);
  if (!found) {
    throw new UsageError(`--${option} "${text}" is not one of ${allowed.join(', ')}`, command);
  }
  return found;
}

/** Reads names repeated or separated by commas; canonical, each once. */
function formatIds(command: string, texts: readonly string[] | undefined): string[] {
  const names = (texts ?? []).flatMap((text) => text.split(',')).filter((name) => name.trim());
  if (names.length === 0) {
    throw new UsageError('--format is missing: at least one is needed', command);
  }
  try {
    return [...new Set(names.map((name) => parseFormat(name).id))];
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), command, true);
  }
}

interface CommonValues {
  json?: boolean;
  quiet?: boolean;
  threads?: string;
  backend?: string;
  tensor?: string[];
}

function jobArguments(
  command: string,
  values: CommonValues,
  positionals: readonly string[],
): JobArguments {
  if (positionals.length !== 1) {
    const message =
      positionals.length === 0
        ? 'PATH is missing'
        : `one PATH is wanted, ${positionals.length} are given: ${positionals.join(' ')}`;
    throw new UsageError(message, command);
  }
  if (values.backend === 'webgpu') {
    throw new UsageError('--backend webgpu is not available in this version', command);
  }
  const backend = oneOf(command, 'backend', values.backend ?? 'auto', [
    'auto',
    'wasm',
    'reference',
  ]);
  return {
    path: positionals[0],
    tensorGlobs: values.tensor,
    json: values.json ?? false,
    quiet: values.quiet ?? false,
    threads:
      values.threads === undefined ? undefined : wholeNumber(command, 'threads', values.threads, 1),
    backend: backend === 'auto' ? 'wasm' : backend,
  };
}

function scaleDtype(command: string, text: string | undefined): ScaleDtype {
  return oneOf(command, 'scale-dtype', text ?? 'f16', SCALE_DTYPES) as ScaleDtype;
}

function inspectArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('inspect', args, {
    ...COMMON,
    stats: { type: 'boolean' },
    'group-size': { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'inspect' };
  const group = values['group-size'];
  return {
    command: 'inspect',
    ...jobArguments('inspect', values, positionals),
    stats: (values.stats ?? false) || group !== undefined,
    groupSize: group === 'row' ? 0 : wholeNumber('inspect', 'group-size', group ?? '128', 1),
  };
}

function quantizeArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('quantize', args, {
    ...COMMON,
    format: { type: 'string', multiple: true },
    out: { type: 'string', short: 'o' },
    as: { type: 'string' },
    'scale-dtype': { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'quantize' };
  const job = jobArguments('quantize', values, positionals);
  const formats = formatIds('quantize', values.format);
  if (formats.length > 1) {
    throw new UsageError(`one --format is wanted, ${formats.length} are given`, 'quantize');
  }
  if (!values.out) throw new UsageError('--out FILE|DIR is missing', 'quantize');
  if (values.as !== undefined && values.as !== 'dequantized-f32') {
    throw new UsageError(
      `--as "${values.as}" is not available in this version; there is dequantized-f32`,
      'quantize',
    );
  }
  return {
    command: 'quantize',
    ...job,
    format: formats[0],
    out: values.out,
    scaleDtype: scaleDtype('quantize', values['scale-dtype']),
  };
}

function compareArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('compare', args, {
    ...COMMON,
    ...PERPLEXITY,
    format: { type: 'string', multiple: true },
    'scale-dtype': { type: 'string' },
    csv: { type: 'boolean' },
    html: { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'compare' };
  if (values.html !== undefined) {
    throw new UsageError(
      '--html is not available in this version; there are --json and --csv',
      'compare',
    );
  }
  const perplexity = (Object.keys(PERPLEXITY) as (keyof typeof PERPLEXITY)[]).find(
    (option) => values[option] !== undefined,
  );
  if (perplexity) {
    throw new UsageError(
      `--${perplexity} needs perplexity, which is not available in this version`,
      'compare',
    );
  }
  const job = jobArguments('compare', values, positionals);
  if (values.csv && values.json) {
    throw new UsageError('--json and --csv exclude each other', 'compare');
  }
  return {
    command: 'compare',
    ...job,
    formats: formatIds('compare', values.format),
    scaleDtype: scaleDtype('compare', values['scale-dtype']),
    csv: values.csv ?? false,
  };
}

function formatsArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('formats', args, {
    help: COMMON.help,
    json: COMMON.json,
    quiet: COMMON.quiet,
  });
  if (values.help) return { command: 'help', topic: 'formats' };
  if (positionals.length > 0) {
    throw new UsageError(`formats takes no PATH, but "${positionals[0]}" is given`, 'formats');
  }
  return { command: 'formats', json: values.json ?? false };
}

/**
 * Reads the arguments after the program's name.
 * @throws UsageError with a one-line message
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [command, ...rest] = args;
  switch (command) {
    case 'inspect':
      return inspectArguments(rest);
    case 'quantize':
      return quantizeArguments(rest);
    case 'compare':
      return compareArguments(rest);
    case 'formats':
      return formatsArguments(rest);
    case 'perplexity':
      throw new UsageError('perplexity is not available in this version');
    case 'help':
      return { command: 'help', topic: rest[0] };
    case '--help':
    case '-h':
      return { command: 'help' };
    case '--version':
    case '-V':
      return { command: 'version' };
    case undefined:
      throw new UsageError('a command is missing: inspect, quantize, compare or formats');
    default:
      throw new UsageError(
        `"${command}" is not a command; there are inspect, quantize, compare and formats`,
      );
  }
}
