import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { parseFormat } from '../formats/index.js';
import type { ScaleDtype } from '../formats/index.js';
import type { BackendChoice } from '../jobs/backends/backends.js';
import { parseScheme } from '../methods/schemes.js';
import { UsageError } from './usageError.js';

/** What every job takes. */
export interface JobArguments {
  readonly path: string;
  /** Globs over tensor names; absent for the command's default. */
  readonly tensorGlobs?: readonly string[];
  readonly json: boolean;
  readonly quiet: boolean;
  readonly threads?: number;
  readonly backend: BackendChoice;
}

/** Options of every job. */
export const COMMON = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  threads: { type: 'string' },
  backend: { type: 'string' },
  tensor: { type: 'string', multiple: true },
} as const satisfies ParseArgsConfig['options'];

const SCALE_DTYPES: readonly string[] = ['f16', 'bf16', 'f32'] satisfies ScaleDtype[];

const BACKENDS = ['auto', 'wasm', 'webgpu', 'reference'] as const satisfies BackendChoice[];

type Options = NonNullable<ParseArgsConfig['options']>;

/** Splits a command's arguments into options and the rest; strict. */
export function parse<const T extends Options>(
  command: string,
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // Node adds advice about "--" after the first sentence; the help says it shorter.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split('. ')[0].replace(/\s+/g, ' '), command);
  }
}

/** Digits, at most nine. */
export function readWholeNumber(
  command: string,
  option: string,
  text: string,
  least: number,
): number {
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

/** As {@link readFormatIds}, and there is at least one. */
export function readSomeFormatIds(command: string, texts: readonly string[] | undefined): string[] {
  return someOf(command, readFormatIds(command, texts));
}

/** Names of formats, of which there must be one at least. */
export function someOf<Names extends readonly string[]>(command: string, names: Names): Names {
  if (names.length > 0) return names;
  throw new UsageError('--format is missing: at least one is needed', command);
}

/** Reads names repeated or separated by commas; canonical, each once. */
function readFormatIds(command: string, texts: readonly string[] | undefined): string[] {
  const names = (texts ?? []).flatMap((text) => text.split(',')).filter((name) => name.trim());
  try {
    return [...new Set(names.map((name) => parseFormat(name).id))];
  } catch (error) {
    if (names.some(isScheme)) {
      const detail = 'methods and formats of activations are for compare and perplexity';
      throw new UsageError(`--format: ${detail}`, command);
    }
    throw new UsageError(error instanceof Error ? error.message : String(error), command, true);
  }
}

/** True for names with a method or a format of activations. */
function isScheme(name: string): boolean {
  try {
    const { methods, activations } = parseScheme(name);
    return methods.length > 0 || activations !== undefined;
  } catch {
    return false;
  }
}

/** Reads names of schemes as {@link readFormatIds} reads those of formats. */
export function readSchemeIds(command: string, texts: readonly string[] | undefined): string[] {
  const names = (texts ?? []).flatMap((text) => text.split(',')).filter((name) => name.trim());
  try {
    return [...new Set(names.map((name) => parseScheme(name).id))];
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

/** Checks what every job takes. */
export function readJobArguments(
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
  const backend = oneOf(command, 'backend', values.backend ?? 'auto', BACKENDS);
  return {
    path: positionals[0],
    tensorGlobs: values.tensor,
    json: values.json ?? false,
    quiet: values.quiet ?? false,
    threads:
      values.threads === undefined
        ? undefined
        : readWholeNumber(command, 'threads', values.threads, 1),
    backend,
  };
}

/** The type scales are rounded to. */
export function readScaleDtype(command: string, text: string | undefined): ScaleDtype {
  return oneOf(command, 'scale-dtype', text ?? 'f16', SCALE_DTYPES) as ScaleDtype;
}
