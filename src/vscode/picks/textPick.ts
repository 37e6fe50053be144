import { stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import type { Host } from '../../host/host.js';
import { findOwnCalibrationText } from '../../jobs/perplexity/node/calibrationText.js';
import { findOwnTextFile } from '../../jobs/perplexity/node/evaluationText.js';
import { visible } from '../../storage/errors.js';
import type { ChoiceMemory } from './choiceMemory.js';
import { showStep } from './quickPick.js';
import { readSettings } from '../settings.js';
import { formatSize } from './sizeText.js';

/** Where a step stands in a row of questions. */
export interface StepPlace {
  readonly title: string;
  readonly step: number;
  readonly totalSteps: number;
}

/** Standing choices, remembered by name: which file they mean depends on the model. */
const OWN = 'own';
const BUNDLED = 'bundled';
const SETTING = 'setting';

interface TextItem extends vscode.QuickPickItem {
  /** A standing choice or a path; absent for "Choose a File…" and separators. */
  readonly id?: string;
  readonly file?: string;
}

/** The file that the setting names; it may be anywhere, and is not looked at. */
function findTextOfSetting(): string | undefined {
  const { perplexityText } = readSettings();
  if (perplexityText === '') return undefined;
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file');
  return isAbsolute(perplexityText) || !folder
    ? perplexityText
    : join(folder.uri.fsPath, perplexityText);
}

/** What a path is called in a list. */
function shownName(file: string): string {
  return visible(basename(file));
}

/** Its size for people, or that there is none. */
async function sizeOf(file: string): Promise<string> {
  return stat(file).then(
    ({ size }) => formatSize(size),
    () => vscode.l10n.t('cannot be read'),
  );
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * The texts to choose from. Only those of the model and of Quantscope are looked at: what a setting
 * names, or was chosen once, may lie on another machine, and asking for it would tell that one who asks.
 */
async function textItems({ host, folder, memory, purpose }: TextQuestion): Promise<TextItem[]> {
  const calibrates = purpose === 'calibration';
  const setting = calibrates ? undefined : findTextOfSetting();
  const own = await (calibrates ? findOwnCalibrationText(folder) : findOwnTextFile(folder));
  const bundled = host.assets.path(calibrates ? 'sample calibration text' : 'sample text');
  const items: TextItem[] = [];
  if (setting !== undefined) {
    const detail = vscode.l10n.t('{0} (setting quantscope.perplexityText)', visible(setting));
    items.push({ id: SETTING, file: setting, label: shownName(setting), detail });
  }
  if (own !== undefined) {
    const label = vscode.l10n.t('The model’s own text: {0}', shownName(own));
    items.push({
      id: OWN,
      file: own,
      label,
      description: await sizeOf(own),
      detail: visible(own),
    });
  }
  items.push({
    id: BUNDLED,
    file: bundled,
    description: await sizeOf(bundled),
    label: calibrates
      ? vscode.l10n.t('Calibration text of Quantscope')
      : vscode.l10n.t('Sample text of Quantscope'),
    detail: calibrates
      ? vscode.l10n.t('Other State of the Union addresses than those of the sample text')
      : vscode.l10n.t('Five State of the Union addresses; not one of the usual benchmarks'),
  });
  const standing = items.map(({ file }) => file);
  for (const file of memory.recentTexts) {
    if (standing.includes(file)) continue;
    items.push({ id: file, file, label: shownName(file), detail: visible(file) });
  }
  items.push({ label: vscode.l10n.t('Choose a File…') });
  return items;
}

async function chooseFile({ folder, purpose }: TextQuestion): Promise<string | undefined> {
  const calibrates = purpose === 'calibration';
  const chosen = await vscode.window.showOpenDialog({
    title: calibrates
      ? vscode.l10n.t('Text to calibrate on')
      : vscode.l10n.t('Text to measure perplexity on'),
    openLabel: calibrates ? vscode.l10n.t('Calibrate') : vscode.l10n.t('Measure'),
    defaultUri: vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(folder),
    filters: { [vscode.l10n.t('Text')]: ['txt', 'md', 'raw', 'text'], '*': ['*'] },
  });
  return chosen?.[0]?.fsPath;
}

/** What is known before the text is asked for. */
export interface TextQuestion {
  readonly host: Host;
  /** Folder of the model. */
  readonly folder: string;
  readonly memory: ChoiceMemory;
  readonly purpose: TextPurpose;
}

/** What a text is for. */
export type TextPurpose = 'perplexity' | 'calibration';

/**
 * Asks for the text that perplexity is measured on, or that methods are calibrated on.
 * @returns its file; 'back' for the step before; undefined when the user leaves
 */
export async function pickText(
  question: TextQuestion,
  { title, step, totalSteps }: StepPlace,
): Promise<{ readonly file: string } | 'back' | undefined> {
  const { memory, purpose } = question;
  const calibrates = purpose === 'calibration';
  const remember = (id: string) =>
    calibrates ? memory.rememberCalibrationText(id) : memory.rememberText(id);
  for (;;) {
    const items = await textItems(question);
    const before = calibrates ? memory.calibrationText : memory.text;
    const last = items.find(({ id }) => id !== undefined && id === before) ?? items[0];
    const result = await showStep<TextItem>((pick) => {
      pick.title = title;
      pick.step = step;
      pick.totalSteps = totalSteps;
      pick.placeholder = calibrates
        ? vscode.l10n.t('Text to calibrate on; never the one that perplexity is measured on')
        : vscode.l10n.t('Text to measure on');
      pick.matchOnDetail = true;
      if (step > 1) pick.buttons = [vscode.QuickInputButtons.Back];
      pick.items = items;
      pick.activeItems = [last];
    }, '');
    if (!result) return undefined;
    if (result.kind !== 'accepted') return 'back';
    const [{ id, file }] = result.items;
    if (id !== undefined && file !== undefined) {
      await remember(id);
      // What is wrong with it is said later; it need not be proposed again.
      if (id === file && !(await isFile(file))) await memory.forgetRecentText(file);
      return { file };
    }
    const chosen = await chooseFile(question);
    if (chosen === undefined) continue;
    await memory.rememberRecentText(chosen);
    await remember(chosen);
    return { file: chosen };
  }
}
