import * as vscode from 'vscode';
import { ACTIVATION_CATALOGUE } from '../../formats/activations.js';
import { findFormatEntry, parseFormat } from '../../formats/index.js';
import { allowsFormat, RANGE_SEARCHES } from '../../methods/combine.js';
import { METHODS } from '../../methods/index.js';
import type { CalibrationMethod } from '../../methods/types.js';
import type { SchemeChoice } from './choiceMemory.js';
import { showStep } from './quickPick.js';
import type { StepPlace } from './textPick.js';

interface MethodItem extends vscode.QuickPickItem {
  /** Name of a method, "" for rounding to nearest; absent for others. */
  readonly method?: string;
  /** Name of a format for activations, "" for none; absent for others. */
  readonly activations?: string;
}

/** Names of chosen formats that a method cannot be used with. */
function namesRefused(method: CalibrationMethod, names: readonly string[]): string {
  if (method.notation) return '';
  const refused = names.filter((name) => !allowsFormat(method, parseFormat(name)));
  return refused.map((name) => findFormatEntry(name)?.label ?? name).join(', ');
}

function methodItem(method: CalibrationMethod, names: readonly string[]): MethodItem {
  const { name, label, description, source, reconstructed, defaults } = method;
  const refused = namesRefused(method, names);
  const seen =
    defaults.windows > 0
      ? vscode.l10n.t('sees {0} windows of {1} tokens', defaults.windows, defaults.context)
      : '';
  return {
    method: name,
    label: reconstructed ? vscode.l10n.t('{0} (reconstructed)', label) : label,
    description: refused === '' ? description : vscode.l10n.t('not for {0}', refused),
    detail: [refused === '' ? '' : description, seen, source].filter(Boolean).join(' · '),
  };
}

function methodItems(names: readonly string[]): MethodItem[] {
  const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const own = METHODS.filter(({ notation }) => notation);
  return [
    separator(vscode.l10n.t('how weights are rounded')),
    {
      method: '',
      label: vscode.l10n.t('Round to nearest'),
      description: vscode.l10n.t('from the weights alone; needs no text'),
    },
    ...RANGE_SEARCHES.map(({ name, label }) => ({
      method: name,
      label,
      description: vscode.l10n.t('+{0}: searched for in every group; needs no text', name),
    })),
    ...METHODS.filter(({ notation }) => !notation).map((method) => methodItem(method, names)),
    separator(vscode.l10n.t('codebooks in the place of a number format')),
    ...own.map((method) => methodItem(method, names)),
    separator(vscode.l10n.t('what activations are rounded to')),
    {
      activations: '',
      label: vscode.l10n.t('Activations as they are'),
      description: vscode.l10n.t('weights alone are quantized'),
    },
    ...ACTIVATION_CATALOGUE.map(({ name, label, description }) => ({
      activations: name,
      label,
      description,
    })),
  ];
}

/** What is to be done with chosen formats. */
export type MethodChoice = Pick<SchemeChoice, 'methods' | 'activations'>;

/**
 * Asks by which methods weights are rounded, and what activations are rounded to: every combination with the
 * formats is meant.
 * @param before what is ticked already
 * @param names of the chosen formats, without their groups
 * @returns 'back' for the step before; undefined when the user leaves
 */
export async function pickMethods(
  { title, step, totalSteps }: StepPlace,
  before: MethodChoice,
  names: readonly string[],
): Promise<MethodChoice | 'back' | undefined> {
  const items = methodItems(names);
  const result = await showStep<MethodItem>((pick) => {
    pick.title = title;
    pick.step = step;
    pick.totalSteps = totalSteps;
    pick.placeholder = vscode.l10n.t('Methods and activations: every combination is compared');
    pick.canSelectMany = true;
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.buttons = [vscode.QuickInputButtons.Back];
    pick.items = items;
    pick.selectedItems = items.filter(
      ({ method, activations }) =>
        (method !== undefined && before.methods.includes(method)) ||
        (activations !== undefined && before.activations.includes(activations)),
    );
  }, vscode.l10n.t('Tick at least one way to round weights'));
  if (!result) return undefined;
  if (result.kind !== 'accepted') return 'back';
  const isChosen = (item: MethodItem) =>
    result.items.some(
      ({ method, activations }) => method === item.method && activations === item.activations,
    );
  // In the order of the menu, not of ticking.
  const chosen = items.filter(isChosen);
  const methods = chosen.flatMap(({ method }) => method ?? []);
  const activations = chosen.flatMap(({ activations: name }) => name ?? []);
  return {
    methods: methods.length > 0 ? methods : [''],
    activations: activations.length > 0 ? activations : [''],
  };
}
