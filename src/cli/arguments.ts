import type { ScaleDtype } from '../formats/index.js';
import {
  COMMON,
  readSchemeIds,
  readJobArguments,
  parse,
  readScaleDtype,
  readSomeFormatIds,
  someOf,
  readWholeNumber,
  type JobArguments,
} from './argumentValues.js';
import { FORMAT_PRESETS, findPreset } from '../jobs/presets.js';
import { parseScheme } from '../methods/schemes.js';
import { needsModel } from '../jobs/comparison/compareSchemes.js';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
import {
  CALIBRATION,
  PERPLEXITY,
  readCalibrationOptions,
  readPerplexityOptions,
  type PerplexityOptions,
} from './perplexityOptions.js';
import { needsImportance } from '../methods/steps.js';
import { trainArguments, type TrainArguments } from './trainArguments.js';
import { recommendArguments, type RecommendArguments } from './recommendArguments.js';
import { UsageError } from './usageError.js';

export interface InspectArguments extends JobArguments {
  readonly command: 'inspect';
  readonly stats: boolean;
  /** Looks for what is known to go wrong with checkpoints instead of listing tensors. */
  readonly check: boolean;
  /** Columns per group, 0 for whole rows. */
  readonly groupSize: number;
}

export interface QuantizeArguments extends JobArguments {
  readonly command: 'quantize';
  /** Absent where there is a recipe. */
  readonly format?: string;
  /** File that has a format for each tensor. */
  readonly recipe?: string;
  readonly out: string;
  /** Absent: that of the recipe, else f16. */
  readonly scaleDtype?: ScaleDtype;
}

export interface CompareArguments extends JobArguments {
  readonly command: 'compare';
  /** Canonical names, each once, in the order given; none only where there is a recipe or another checkpoint. */
  readonly formats: readonly string[];
  /** Files that have a format for each tensor. */
  readonly recipes?: readonly string[];
  /** Path of another checkpoint of the same model. */
  readonly against?: string;
  /** Absent: that of the recipes, else f16. */
  readonly scaleDtype?: ScaleDtype;
  readonly csv: boolean;
  /** File for a comparison that opens by itself. */
  readonly html?: string;
  /** Present where the model is to be run as well. */
  readonly perplexity?: PerplexityOptions & { readonly perLayer: boolean };
  readonly calibration: CalibrationSettings;
  /** What a reader of a preset's numbers must know. */
  readonly presetNote?: string;
}

export interface PerplexityArguments extends JobArguments {
  readonly command: 'perplexity';
  /** Canonical names, each once, in the order given; may be empty. */
  readonly formats: readonly string[];
  /** Files that have a format for each tensor. */
  readonly recipes?: readonly string[];
  /** Absent: that of the recipes, else f16. */
  readonly scaleDtype?: ScaleDtype;
  readonly perplexity: PerplexityOptions;
  readonly calibration: CalibrationSettings;
  /** What a reader of a preset's numbers must know. */
  readonly presetNote?: string;
}

export interface ImatrixArguments extends JobArguments {
  readonly command: 'imatrix';
  readonly out: string;
  readonly calibration: CalibrationSettings;
}

/** What a command line asks for, checked as far as that is possible without reading a file. */
export type CommandLine =
  | { readonly command: 'help'; readonly topic?: string }
  | { readonly command: 'version' }
  | { readonly command: 'formats'; readonly json: boolean }
  | InspectArguments
  | QuantizeArguments
  | CompareArguments
  | PerplexityArguments
  | RecommendArguments
  | ImatrixArguments
  | TrainArguments;

function inspectArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('inspect', args, {
    ...COMMON,
    stats: { type: 'boolean' },
    check: { type: 'boolean' },
    'group-size': { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'inspect' };
  const group = values['group-size'];
  const check = values.check ?? false;
  const other = (['stats', 'group-size', 'tensor'] as const).find((name) => values[name]);
  if (check && other) throw new UsageError(`--check and --${other} exclude each other`, 'inspect');
  return {
    command: 'inspect',
    check,
    ...readJobArguments('inspect', values, positionals),
    stats: (values.stats ?? false) || group !== undefined,
    groupSize: group === 'row' ? 0 : readWholeNumber('inspect', 'group-size', group ?? '128', 1),
  };
}

function quantizeArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('quantize', args, {
    ...COMMON,
    format: { type: 'string', multiple: true },
    recipe: { type: 'string' },
    out: { type: 'string', short: 'o' },
    as: { type: 'string' },
    'scale-dtype': { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'quantize' };
  const job = readJobArguments('quantize', values, positionals);
  const { recipe } = values;
  if (recipe === '') throw new UsageError('--recipe is empty', 'quantize');
  const excluded = (['format', 'tensor'] as const).find((option) => values[option]);
  if (recipe !== undefined && excluded) {
    throw new UsageError(`--recipe and --${excluded} exclude each other`, 'quantize');
  }
  const formats = recipe === undefined ? readSomeFormatIds('quantize', values.format) : [];
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
    recipe,
    out: values.out,
    scaleDtype: readGivenScaleDtype('quantize', values['scale-dtype'], recipe ? [recipe] : []),
  };
}

function compareArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('compare', args, {
    ...COMMON,
    ...PERPLEXITY,
    ...CALIBRATION,
    imatrix: { type: 'string' },
    preset: { type: 'string' },
    'per-layer': { type: 'boolean' },
    format: { type: 'string', multiple: true },
    recipe: { type: 'string', multiple: true },
    against: { type: 'string' },
    'scale-dtype': { type: 'string' },
    csv: { type: 'boolean' },
    html: { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'compare' };
  if (values.html === '') throw new UsageError('--html names no file', 'compare');
  const job = readJobArguments('compare', values, positionals);
  if (values.csv && values.json) {
    throw new UsageError('--json and --csv exclude each other', 'compare');
  }
  const { against } = values;
  if (against === '') throw new UsageError('--against names no checkpoint', 'compare');
  const schemes = withPreset('compare', values.preset, readSchemeIds('compare', values.format));
  const recipes = readRecipeFiles('compare', values.recipe);
  const isAlone = against === undefined && recipes.length === 0;
  const formats = isAlone ? someOf('compare', schemes) : schemes;
  if (values.tensor && recipes.length > 0 && against === undefined && formats.length === 0) {
    throw new UsageError(TENSOR_OF_RECIPE, 'compare');
  }
  const perLayer = values['per-layer'] ?? false;
  const asked =
    perLayer ||
    (Object.keys(PERPLEXITY) as (keyof typeof PERPLEXITY)[]).some(
      (option) => values[option] !== undefined,
    );
  if (perLayer && values['save-logits'] !== undefined) {
    throw new UsageError('--save-logits and --per-layer exclude each other', 'compare');
  }
  if (perLayer && formats.length === 0) {
    throw new UsageError('--per-layer is about formats; no --format is given', 'compare');
  }
  const scheme = formats.find((name) => needsModel(parseScheme(name)));
  if (perLayer && scheme !== undefined) {
    const detail = `is about formats without methods and activations; ${scheme} has one`;
    throw new UsageError(`--per-layer ${detail}`, 'compare');
  }
  const models = formats.length + recipes.length + (against === undefined ? 0 : 1);
  const hasOthers = recipes.length > 0 || against !== undefined;
  if (hasOthers && models > 1 && values['save-logits'] !== undefined) {
    throw new UsageError('--save-logits takes one model: --against or one --format', 'compare');
  }
  return {
    command: 'compare',
    ...job,
    formats,
    ...(recipes.length > 0 && { recipes }),
    against,
    scaleDtype: readGivenScaleDtype('compare', values['scale-dtype'], recipes),
    csv: values.csv ?? false,
    html: values.html,
    perplexity: asked
      ? { ...readPerplexityOptions('compare', values, formats), perLayer }
      : undefined,
    calibration: {
      ...readCalibrationOptions('compare', values),
      imatrixFile: readImatrixOption('compare', values.imatrix, formats),
    },
    presetNote: findPreset(values.preset ?? '')?.note,
  };
}

function perplexityArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('perplexity', args, {
    ...COMMON,
    ...PERPLEXITY,
    ...CALIBRATION,
    imatrix: { type: 'string' },
    preset: { type: 'string' },
    format: { type: 'string', multiple: true },
    recipe: { type: 'string', multiple: true },
    'scale-dtype': { type: 'string' },
  });
  if (values.help) return { command: 'help', topic: 'perplexity' };
  const job = readJobArguments('perplexity', values, positionals);
  const formats = withPreset(
    'perplexity',
    values.preset,
    readSchemeIds('perplexity', values.format),
  );
  if (values.tensor && formats.length === 0) {
    throw new UsageError(
      '--tensor chooses what a --format is applied to; none is given',
      'perplexity',
    );
  }
  const recipes = readRecipeFiles('perplexity', values.recipe);
  const models = formats.length + recipes.length;
  if (recipes.length > 0 && models > 1 && values['save-logits'] !== undefined) {
    throw new UsageError('--save-logits takes one --format or --recipe at most', 'perplexity');
  }
  return {
    command: 'perplexity',
    ...job,
    formats,
    ...(recipes.length > 0 && { recipes }),
    scaleDtype: readGivenScaleDtype('perplexity', values['scale-dtype'], recipes),
    perplexity: readPerplexityOptions('perplexity', values, formats),
    calibration: {
      ...readCalibrationOptions('perplexity', values),
      imatrixFile: readImatrixOption('perplexity', values.imatrix, formats),
    },
    presetNote: findPreset(values.preset ?? '')?.note,
  };
}

const TENSOR_OF_RECIPE = '--tensor chooses what a --format is applied to; none is given';

function readRecipeFiles(command: string, files: readonly string[] | undefined): string[] {
  if (files?.includes('')) throw new UsageError('--recipe is empty', command);
  return [...new Set(files)];
}

/** The type of scales; undefined where none is given and recipes say it. */
function readGivenScaleDtype(
  command: string,
  text: string | undefined,
  recipes: readonly string[],
): ScaleDtype | undefined {
  if (text === undefined && recipes.length > 0) return undefined;
  return readScaleDtype(command, text);
}

/** Formats of a preset, then others. */
function withPreset(
  command: string,
  name: string | undefined,
  formats: readonly string[],
): readonly string[] {
  if (name === undefined) return formats;
  const preset = findPreset(name);
  if (!preset) {
    const known = FORMAT_PRESETS.map((each) => each.name).join(', ');
    throw new UsageError(`--preset "${name}" is not one of ${known}`, command);
  }
  return [...new Set([...preset.formats, ...formats])];
}

function readImatrixOption(
  command: string,
  file: string | undefined,
  formats: readonly string[],
): string | undefined {
  if (file === '') throw new UsageError('--imatrix is empty', command);
  const uses = formats.some((format) => parseScheme(format).methods.some(needsImportance));
  if (file !== undefined && !uses) {
    throw new UsageError(
      '--imatrix is for formats with +imatrix, as q4_k+imatrix; none is given',
      command,
    );
  }
  return file;
}

function imatrixArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parse('imatrix', args, {
    help: COMMON.help,
    json: COMMON.json,
    quiet: COMMON.quiet,
    threads: COMMON.threads,
    backend: COMMON.backend,
    ...CALIBRATION,
    output: { type: 'string', short: 'o' },
  });
  if (values.help) return { command: 'help', topic: 'imatrix' };
  const job = readJobArguments('imatrix', values, positionals);
  if (!values.output) throw new UsageError('--output FILE is missing', 'imatrix');
  const calibration = readCalibrationOptions('imatrix', values);
  return { command: 'imatrix', ...job, out: values.output, calibration };
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

const COMMANDS = 'inspect, quantize, compare, perplexity, recommend, train, imatrix and formats';

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
    case 'recommend':
      return recommendArguments(rest);
    case 'imatrix':
      return imatrixArguments(rest);
    case 'train':
      return trainArguments(rest);
    case 'formats':
      return formatsArguments(rest);
    case 'perplexity':
      return perplexityArguments(rest);
    case 'help':
      return { command: 'help', topic: rest[0] };
    case '--help':
    case '-h':
      return { command: 'help' };
    case '--version':
    case '-V':
      return { command: 'version' };
    case undefined:
      throw new UsageError(`a command is missing: ${COMMANDS}`);
    default:
      throw new UsageError(`"${command}" is not a command; there are ${COMMANDS}`);
  }
}
