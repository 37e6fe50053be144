import type { ParseArgsConfig } from 'node:util';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
import { readWholeNumber } from './argumentValues.js';
import { UsageError } from './usageError.js';

/** How a perplexity is to be measured, as far as a command line says. */
export interface PerplexityOptions {
  readonly textFile?: string;
  /** Separator of documents. */
  readonly perDocument?: string;
  readonly tokenIdsFile?: string;
  readonly context?: number;
  readonly windows?: number;
  /** True: every window begins with BOS; absent: as the model's family needs it. */
  readonly bosEveryWindow?: boolean;
  readonly logitsFile?: string;
  readonly memoryBudgetBytes?: number;
  /** False: no score is taken from earlier runs or kept for later ones. */
  readonly cache: boolean;
}

/** Options of `perplexity` and, all of them asking for it, of `compare`. */
export const PERPLEXITY = {
  text: { type: 'string' },
  context: { type: 'string' },
  windows: { type: 'string' },
  'per-document': { type: 'string' },
  'token-ids': { type: 'string' },
  'bos-every-window': { type: 'boolean' },
  'no-bos-every-window': { type: 'boolean' },
  'save-logits': { type: 'string' },
  'memory-budget': { type: 'string' },
  'no-cache': { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/** Options of what calibrated methods see. */
export const CALIBRATION = {
  calibration: { type: 'string' },
  'calibration-windows': { type: 'string' },
  'calibration-context': { type: 'string' },
  'calibration-seed': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/** What says how a text becomes ids. */
const EXCLUDED_BY_IDS = [
  'text',
  'per-document',
  'bos-every-window',
  'no-bos-every-window',
] as const;

type Values = {
  readonly [Option in keyof typeof PERPLEXITY]?: (typeof PERPLEXITY)[Option] extends {
    type: 'boolean';
  }
    ? boolean
    : string;
};

const MEBIBYTE = 1024 * 1024;

/** @throws UsageError where options exclude each other or are no numbers */
export function readPerplexityOptions(
  command: string,
  values: Values,
  formats: readonly string[],
): PerplexityOptions {
  for (const option of EXCLUDED_BY_IDS) {
    if (values['token-ids'] !== undefined && values[option] !== undefined) {
      throw new UsageError(`--token-ids and --${option} exclude each other`, command);
    }
  }
  for (const option of ['text', 'token-ids', 'save-logits', 'per-document'] as const) {
    if (values[option] === '') throw new UsageError(`--${option} is empty`, command);
  }
  if (values['bos-every-window'] && values['no-bos-every-window']) {
    throw new UsageError(
      '--bos-every-window and --no-bos-every-window exclude each other',
      command,
    );
  }
  if (values['save-logits'] !== undefined && formats.length > 1) {
    throw new UsageError(
      `--save-logits takes one --format at most, ${formats.length} are given`,
      command,
    );
  }
  const number = (option: 'context' | 'windows' | 'memory-budget', least: number) => {
    const text = values[option];
    return text === undefined ? undefined : readWholeNumber(command, option, text, least);
  };
  const budget = number('memory-budget', 1);
  return {
    textFile: values.text,
    perDocument: values['per-document'],
    tokenIdsFile: values['token-ids'],
    // A window of one token has nothing to predict.
    context: number('context', 2),
    windows: number('windows', 1),
    bosEveryWindow:
      values['bos-every-window'] ?? (values['no-bos-every-window'] ? false : undefined),
    logitsFile: values['save-logits'],
    memoryBudgetBytes: budget === undefined ? undefined : budget * MEBIBYTE,
    cache: !values['no-cache'],
  };
}

/** @throws UsageError where options are no numbers */
export function readCalibrationOptions(
  command: string,
  values: { readonly [Option in keyof typeof CALIBRATION]?: string },
): CalibrationSettings {
  const { calibration: textFile } = values;
  if (textFile === '') throw new UsageError('--calibration is empty', command);
  const number = (option: keyof typeof CALIBRATION, least: number) => {
    const text = values[option];
    return text === undefined ? undefined : readWholeNumber(command, option, text, least);
  };
  return {
    textFile,
    windows: number('calibration-windows', 1),
    context: number('calibration-context', 2),
    seed: number('calibration-seed', 0),
  };
}
