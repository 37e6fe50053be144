import { parseFormat, type ScaleDtype } from '../formats/index.js';
import type { Pin } from '../jobs/recommendation/candidates.js';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
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
}

const COMMAND = 'recommend';
const { 'save-logits': _, ...MEASURING } = PERPLEXITY;

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
  const { 'calibration-windows': __, 'calibration-context': ___, ...calibrating } = CALIBRATION;
  const { values, positionals } = parse(COMMAND, args, {
    ...COMMON,
    ...MEASURING,
    ...calibrating,
    ...BUDGETS,
    format: { type: 'string', multiple: true },
    tie: { type: 'string', multiple: true },
    pin: { type: 'string', multiple: true },
    recipe: { type: 'string' },
    'scale-dtype': { type: 'string' },
    'sensitivity-windows': { type: 'string' },
    'sensitivity-context': { type: 'string' },
    'random-ids': { type: 'boolean' },
    seed: { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: COMMAND };
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

/** In bytes: powers of 1000, or with an "i" of 1024. */
const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

function readSize(text: string): number {
  const unit = /[a-z]{1,3}$/i.exec(text)?.[0] ?? '';
  const factor = UNITS[unit.toLowerCase()];
  if (factor === undefined) {
    throw new UsageError(`--size "${text}" does not end with KB, MB, GB, KiB, MiB or GiB`, COMMAND);
  }
  return Math.floor(readPositive('size', text.slice(0, -unit.length)) * factor);
}

function readTies(texts: readonly string[]): Tie[] {
  const names = texts.flatMap((text) => text.split(','));
  const unknown = names.find((name) => !(TIES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--tie "${unknown}" is not one of ${TIES.join(', ')}`, COMMAND);
  }
  return TIES.filter((tie) => names.includes(tie));
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
