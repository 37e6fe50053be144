import * as vscode from 'vscode';
import type { OpenedModel } from '../../checkpoint/types.js';
import { chooseThreads } from '../../compute/workerPool.js';
import { needsModel } from '../../jobs/comparison/compareSchemes.js';
import type { CalibrationSettings } from '../../jobs/perplexity/measurement.js';
import { parseScheme } from '../../methods/schemes.js';
import { planLanguageModel } from '../../model/config/languageModel.js';
import { CALIBRATION_STEPS, pickCalibration } from '../picks/calibrationPick.js';
import { listQuoted } from '../../storage/errors.js';
import { pickSchemes, schemeNames } from '../picks/schemePick.js';
import { readSettings } from '../settings.js';
import type { CommandServices } from './commands.js';
import type { Selection } from './quantizeTarget.js';

/** What is to be compared, and what methods see. */
export interface AskedSchemes {
  /** Canonical names. */
  readonly formats: readonly string[];
  readonly calibration?: CalibrationSettings;
  /** Questions that were asked. */
  readonly asked: number;
}

/** What is asked about. */
export interface SchemesPurpose {
  readonly title: string;
  readonly selection: Selection;
  /** Questions that follow these. */
  readonly further: number;
  /** True where no format at all is an answer, too. */
  readonly allowNone: boolean;
}

/** Says once per window what the setting names in vain. */
function warnOfUnknown(names: readonly string[]): void {
  const list = listQuoted(names);
  if (names.length === 0 || list === warnedOf) return;
  warnedOf = list;
  const text = vscode.l10n.t(
    'The setting quantscope.formats names no format with {0}. Names are those of the menu’s formats, without group and method: int4-asym, nf4, q4_k.',
    list,
  );
  const open = vscode.l10n.t('Open Settings');
  void vscode.window.showWarningMessage(text, open).then((chosen) => {
    if (chosen === open) {
      void vscode.commands.executeCommand('workbench.action.openSettings', 'quantscope.formats');
    }
  });
}

let warnedOf = '';

/**
 * Asks for formats, methods and group size, and for a calibration text where one is needed; remembers the answers.
 * @returns undefined when the user leaves
 */
export async function askSchemes(
  { host, memory, meter }: CommandServices,
  opened: OpenedModel,
  purpose: SchemesPurpose,
): Promise<AskedSchemes | undefined> {
  // Where the model cannot be run, or not from here, methods have nothing to see.
  const model = opened.fileSystem.isLocal
    ? await planLanguageModel(opened).catch(() => undefined)
    : undefined;
  const { title, further } = purpose;
  warnOfUnknown(memory.unknownFormats);
  const { scaleDtype, threads: wanted } = readSettings();
  for (;;) {
    const question = { ...purpose, runs: model !== undefined, scaleDtype };
    const choice = await pickSchemes(question, memory.schemes);
    if (!choice) return undefined;
    const asked = question.runs ? 3 : 2;
    if (choice.names.length === 0 && !choice.preset) return { formats: [], asked };
    if (!choice.preset) await memory.rememberSchemes(choice);
    const { formats, refused } = schemeNames(choice, purpose.selection, scaleDtype);
    if (formats.length === 0) throw new Error(refused[0]);
    if (refused.length > 0) {
      const text = vscode.l10n.t('Some combinations are left out: {0}.', refused.join('; '));
      void vscode.window.showInformationMessage(text);
    }
    if (!model || !formats.some((name) => needsModel(parseScheme(name)))) return { formats, asked };
    const threads = chooseThreads(host, wanted);
    const calibration = await pickCalibration({
      title,
      step: asked + 1,
      totalSteps: asked + CALIBRATION_STEPS + further,
      text: { host, folder: opened.folder, memory },
      model,
      formats,
      secondsFor: (flops) => meter.secondsFor(flops, threads),
    });
    if (calibration === 'back') continue;
    return calibration && { formats, calibration, asked: asked + CALIBRATION_STEPS };
  }
}
