import * as vscode from 'vscode';
import { needsModel } from '../../jobs/comparison/compareSchemes.js';
import { FORMAT_PRESETS, type FormatPreset } from '../../jobs/presets.js';
import { parseScheme } from '../../methods/schemes.js';
import { showStep } from './quickPick.js';
import type { StepPlace } from './textPick.js';

interface PresetItem extends vscode.QuickPickItem {
  readonly preset: FormatPreset;
}

/**
 * Asks for formats that belong together.
 * @param runs true where the model can be run, which methods and activations need
 * @returns 'back' for the step before; undefined when the user leaves
 */
export async function pickPreset(
  { title, step, totalSteps }: StepPlace,
  runs: boolean,
): Promise<FormatPreset | 'back' | undefined> {
  const possible = FORMAT_PRESETS.filter(
    ({ formats }) => runs || !formats.some((name) => needsModel(parseScheme(name))),
  );
  const result = await showStep<PresetItem>((pick) => {
    pick.title = title;
    pick.step = step;
    pick.totalSteps = totalSteps;
    pick.placeholder = vscode.l10n.t('Formats that belong together');
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.buttons = [vscode.QuickInputButtons.Back];
    pick.items = possible.map((preset) => ({
      preset,
      label: preset.name,
      description: vscode.l10n.t('{0} formats', preset.formats.length),
      detail: `${preset.description} · ${preset.note}`,
    }));
  }, '');
  if (!result) return undefined;
  return result.kind === 'accepted' ? result.items[0].preset : 'back';
}
