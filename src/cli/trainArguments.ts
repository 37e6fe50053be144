import type { ScaleDtype } from '../formats/index.js';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
import type { TrainingSettings } from '../model/training/types.js';
import {
  COMMON,
  parse,
  readJobArguments,
  readScaleDtype,
  readSomeFormatIds,
  readWholeNumber,
  type JobArguments,
} from './argumentValues.js';
import { CALIBRATION, readCalibrationOptions } from './perplexityOptions.js';
import { UsageError } from './usageError.js';

export interface TrainArguments extends JobArguments {
  readonly command: 'train';
  /** Canonical name. */
  readonly format: string;
  readonly out: string;
  readonly scaleDtype: ScaleDtype;
  readonly calibration: CalibrationSettings;
  readonly settings: Partial<TrainingSettings>;
  readonly allowsLarge: boolean;
}

const COMMAND = 'train';

function readRate(text: string): number {
  const rate = Number(text);
  if (text.trim() === '' || !(rate > 0 && rate <= 1)) {
    throw new UsageError(`--rate "${text}" is not a number above 0, up to 1`, COMMAND);
  }
  return rate;
}

/** Reads the arguments of `train`. @throws UsageError */
export function trainArguments(
  args: readonly string[],
): TrainArguments | { readonly command: 'help'; readonly topic: string } {
  const { values, positionals } = parse(COMMAND, args, {
    ...COMMON,
    ...CALIBRATION,
    format: { type: 'string' },
    out: { type: 'string', short: 'o' },
    'scale-dtype': { type: 'string' },
    steps: { type: 'string' },
    batch: { type: 'string' },
    rate: { type: 'string' },
    'check-every': { type: 'string' },
    seed: { type: 'string' },
    large: { type: 'boolean' },
  });
  if (values.help) return { command: 'help', topic: COMMAND };
  const job = readJobArguments(COMMAND, values, positionals);
  const formats = readSomeFormatIds(COMMAND, values.format === undefined ? [] : [values.format]);
  if (formats.length > 1) throw new UsageError('--format: weights are trained for one', COMMAND);
  if (!values.out) throw new UsageError('--out FILE or folder is missing', COMMAND);
  const number = (option: 'steps' | 'batch' | 'check-every' | 'seed', least: number) => {
    const text = values[option];
    return text === undefined ? undefined : readWholeNumber(COMMAND, option, text, least);
  };
  const given = {
    steps: number('steps', 1),
    batch: number('batch', 1),
    rate: values.rate === undefined ? undefined : readRate(values.rate),
    checkEvery: number('check-every', 1),
    seed: number('seed', 0),
  };
  return {
    command: COMMAND,
    ...job,
    format: formats[0],
    out: values.out,
    scaleDtype: readScaleDtype(COMMAND, values['scale-dtype']),
    calibration: readCalibrationOptions(COMMAND, values),
    // What is not given is as usual.
    settings: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    allowsLarge: values.large ?? false,
  };
}
