import { parseFormat, type ScaleDtype } from '../formats/index.js';
import type { Pin } from '../jobs/recommendation/candidates.js';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
import type { RecipeExporter } from '../jobs/recipes/exporter.js';
import { EXPORTERS } from '../jobs/recipes/exporters/index.js';
import type { SensitivitySettings } from '../jobs/sensitivity/request.js';
import { TIES, type Budget, type Tie } from '../reports/recommendation.js';
import {
  COMMON,
  parse,
  readJobArguments,
  readScaleDtype,
  readSomeFormatIds,
  readWholeNumber,
  type JobArguments,
} from './argumentValues.js';
import {
  CALIBRATION,
  PERPLEXITY,
  readCalibrationOptions,
  readPerplexityOptions,
  type PerplexityOptions,
} from './perplexityOptions.js';
import { UsageError } from './usageError.js';

/** A recipe for another program, and its file. */
export interface RecipeExport {
  readonly exporter: RecipeExporter;
  readonly file: string;
}

export interface RecommendArguments extends JobArguments {
  readonly command: 'recommend';
  /** Canonical names, each once, in the order given. */
  readonly formats: readonly string[];
  readonly budget: Budget;
  readonly ties: readonly Tie[];
  readonly pins: readonly Pin[];
  readonly scaleDtype: ScaleDtype;
  readonly perplexity: PerplexityOptions;
  readonly calibration: CalibrationSettings;
  readonly sensitivity: SensitivitySettings;
  /** Where the recipe goes. */
  readonly recipe?: string;
  /** Where recipes for other programs go. */
  readonly exports: readonly RecipeExport[];
}

const COMMAND = 'recommend';

/** Options that others of their kind have: logits are of one model, and sensitivities have windows of their own. */
const NOT_TAKEN = ['save-logits', 'calibration-windows', 'calibration-context'] as const;

const BUDGETS = {
  bits: { type: 'string' },
  size: { type: 'string' },
  bytes: { type: 'string' },
  'max-delta': { type: 'string' },
  'max-kl': { type: 'string' },
} as const;

/** @throws UsageError with a one-line message */
export function recommendArguments(
  args: readonly string[],
): RecommendArguments | { readonly command: 'help'; readonly topic: string } {
  const { values, positionals } = parse(COMMAND, args, {
    ...COMMON,
    ...PERPLEXITY,
    ...CALIBRATION,
    ...BUDGETS,
    format: { type: 'string', multiple: true },
    tie: { type: 'string', multiple: true },
    pin: { type: 'string', multiple: true },
    recipe: { type: 'string' },
    export: { type: 'string', multiple: true },
    'scale-dtype': { type: 'string' },
    'sensitivity-windows': { type: 'string' },
    'sensitivity-context': { type: 'string' },
    'random-ids': { type: 'boolean' },
    seed: { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: COMMAND };
  const refused = NOT_TAKEN.find((option) => values[option] !== undefined);
  if (refused) throw new UsageError(`--${refused} is not an option of recommend`, COMMAND);
  const job = readJobArguments(COMMAND, values, positionals);
  const number = (option: 'sensitivity-windows' | 'sensitivity-context' | 'seed', least: number) =>
    values[option] === undefined
      ? undefined
      : readWholeNumber(COMMAND, option, values[option], least);
  if (values.recipe === '') throw new UsageError('--recipe is empty', COMMAND);
  return {
    command: COMMAND,
    ...job,
    formats: readSomeFormatIds(COMMAND, values.format),
    budget: readBudget(values),
    ties: readTies(values.tie ?? []),
    pins: (values.pin ?? []).map(readPin),
    scaleDtype: readScaleDtype(COMMAND, values['scale-dtype']),
    perplexity: readPerplexityOptions(COMMAND, values, []),
    calibration: readCalibrationOptions(COMMAND, values),
    sensitivity: {
      windows: number('sensitivity-windows', 1),
      context: number('sensitivity-context', 2),
      seed: number('seed', 0),
      randomIds: values['random-ids'],
    },
    recipe: values.recipe,
    exports: (values.export ?? []).map(readExport),
  };
}

function readBudget(values: { readonly [Option in keyof typeof BUDGETS]?: string }): Budget {
  const given = (Object.keys(BUDGETS) as (keyof typeof BUDGETS)[]).filter(
    (option) => values[option] !== undefined,
  );
  if (given.length !== 1) {
    const options = 'one of --bits, --size, --bytes, --max-delta and --max-kl';
    const detail = given.length === 0 ? 'none is given' : `--${given.join(' and --')} are given`;
    throw new UsageError(`a budget is wanted, ${options}; ${detail}`, COMMAND);
  }
  const [option] = given;
  const text = values[option]!;
  switch (option) {
    case 'bits':
      return { kind: 'bits', bitsPerWeight: readPositive(option, text) };
    case 'size':
      return { kind: 'bytes', bytes: readSize(text) };
    case 'bytes':
      return { kind: 'bytes', bytes: readPositive(option, text) };
    case 'max-delta':
      return { kind: 'perplexity', delta: readPositive(option, text) };
    case 'max-kl':
      return { kind: 'divergence', klDivergence: readPositive(option, text) };
  }
}

function readPositive(option: string, text: string): number {
  const value = Number(text);
  if (!/^[0-9]{0,15}(\.[0-9]{1,15})?$/.test(text) || !(value > 0)) {
    throw new UsageError(`--${option} "${text}" is not a number above 0`, COMMAND);
  }
  return value;
}

/** Powers of 1024, as sizes are shown everywhere here and as memory is sold. */
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

function readSize(text: string): number {
  const [, number, unit] = /^([0-9.]*) ?([KMGT]?)i?B$/i.exec(text) ?? [];
  if (unit === undefined) {
    throw new UsageError(`--size "${text}" is not a number with KB, MB, GB or TB`, COMMAND);
  }
  const factor = 1024 ** UNITS.indexOf(`${unit}B`.toUpperCase());
  return Math.floor(readPositive('size', number) * factor);
}

function readTies(texts: readonly string[]): Tie[] {
  const names = texts.flatMap((text) => text.split(','));
  const unknown = names.find((name) => !(TIES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--tie "${unknown}" is not one of ${TIES.join(', ')}`, COMMAND);
  }
  return TIES.filter((tie) => names.includes(tie));
}

/** PROGRAM=FILE. */
function readExport(text: string): RecipeExport {
  const at = text.indexOf('=');
  const [name, file] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  const exporter = EXPORTERS.find((each) => each.name === name);
  if (!exporter || file === '') {
    const known = EXPORTERS.map((each) => each.name).join(', ');
    throw new UsageError(`--export "${text}" is not PROGRAM=FILE with one of ${known}`, COMMAND);
  }
  return { exporter, file };
}

/** GLOB=FORMAT; a glob may have "=" in it, a format has none. */
function readPin(text: string): Pin {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new UsageError(`--pin "${text}" is not GLOB=FORMAT`, COMMAND);
  const [glob, name] = [text.slice(0, at), text.slice(at + 1)];
  try {
    return { glob, format: parseFormat(name).id };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), COMMAND, true);
  }
}
