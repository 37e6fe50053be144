import * as vscode from 'vscode';
import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import { findFormatEntry, formatLabel, parseFormat } from '../../formats/index.js';
import type { ScaleDtype } from '../../formats/index.js';
import { withEqualStorage } from '../../jobs/equalStorage.js';
import type { FormatChoice, SchemeChoice } from './choiceMemory.js';
import { formatCost, formatWithGroup, hasGroupChoice } from './formatName.js';
import type { Selection } from '../commands/quantizeTarget.js';
import { showStep } from './quickPick.js';
import { isGroupSize } from '../settings.js';
import type { StepPlace } from './textPick.js';

interface GroupItem extends vscode.QuickPickItem {
  /** Columns per group, 0 for whole rows; absent where the user is to type it. */
  readonly groupSize?: number;
  /** Each format has the group size that comes nearest to these bits per weight. */
  readonly equalBits?: number;
}

/** One group size for all formats, or one for each. */
export type PickedGroups = Pick<SchemeChoice, 'groupSize'> | Pick<SchemeChoice, 'equalBits'>;

const USUAL_SIZES = [32, 64, 128, 256, 0];
/** Formats whose cost is shown beside each size; more would be cut off. */
const MAX_COSTS = 4;

function costs(
  selection: Selection,
  names: readonly string[],
  groupSize: number,
  scaleDtype: ScaleDtype,
): string {
  const affected = names.filter(hasGroupChoice);
  const shown = affected.slice(0, MAX_COSTS).map((name) => {
    const cost = formatCost(formatWithGroup(name, groupSize), selection.tensors, scaleDtype);
    return `${findFormatEntry(name)?.label ?? name} ${cost.bitsPerWeight.toFixed(3)}`;
  });
  if (shown.length === 0) return '';
  const more = affected.length > MAX_COSTS ? ' …' : '';
  return vscode.l10n.t('bits/weight: {0}', shown.join(' · ')) + more;
}

function typeGroupSize(title: string): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title,
    prompt: vscode.l10n.t('Columns per group'),
    validateInput: (text) =>
      /^[0-9]{1,9}$/.test(text.trim()) && Number(text) !== 0 && isGroupSize(Number(text))
        ? undefined
        : vscode.l10n.t('A whole number from 2'),
  });
}

/** Formats with the same bits per weight, as that of them which needs most at this size. */
function equalStorageItems(
  { tensors }: Selection,
  names: readonly string[],
  groupSize: number,
  scaleDtype: ScaleDtype,
): GroupItem[] {
  const affected = names.filter(hasGroupChoice);
  if (affected.length < 2) return [];
  const bits = affected.map(
    (name) => formatCost(formatWithGroup(name, groupSize), tensors, scaleDtype).bitsPerWeight,
  );
  const equalBits = Math.max(...bits);
  const shapes = tensors.map(shapeAsMatrix);
  const shown = affected.slice(0, MAX_COSTS).map((name) => {
    const format = withEqualStorage(parseFormat(name), equalBits, shapes, scaleDtype);
    const { bitsPerWeight } = formatCost(format, tensors, scaleDtype);
    return `${formatLabel(format)} ${bitsPerWeight.toFixed(3)}`;
  });
  const more = affected.length > MAX_COSTS ? ' …' : '';
  return [
    {
      equalBits,
      label: vscode.l10n.t('Equal storage: {0} bits/weight each', equalBits.toFixed(3)),
      description: shown.join(' · ') + more,
    },
  ];
}

/**
 * Asks how many neighbouring weights of a row share their scales.
 * @returns 'back' for the step before; undefined when the user leaves
 */
export async function pickGroupSize(
  { title, step, totalSteps }: StepPlace,
  selection: Selection,
  { names, groupSize }: FormatChoice,
  scaleDtype: ScaleDtype,
): Promise<PickedGroups | 'back' | undefined> {
  const sizes = USUAL_SIZES.includes(groupSize) ? USUAL_SIZES : [groupSize, ...USUAL_SIZES];
  const items: GroupItem[] = sizes.map((size) => ({
    groupSize: size,
    label: size === 0 ? vscode.l10n.t('Whole row') : size.toLocaleString('en-US'),
    description: costs(selection, names, size, scaleDtype),
  }));
  items.push(...equalStorageItems(selection, names, groupSize, scaleDtype));
  items.push({ label: vscode.l10n.t('Other…') });
  for (;;) {
    const result = await showStep<GroupItem>((pick) => {
      pick.title = title;
      pick.step = step;
      pick.totalSteps = totalSteps;
      pick.placeholder = vscode.l10n.t('Weights of a row that share a scale');
      pick.buttons = [vscode.QuickInputButtons.Back];
      pick.items = items;
      pick.activeItems = items.filter((item) => item.groupSize === groupSize);
    }, '');
    if (!result) return undefined;
    if (result.kind !== 'accepted') return 'back';
    const [item] = result.items;
    const { groupSize: size, equalBits } = item;
    if (size !== undefined) return { groupSize: size };
    if (equalBits !== undefined) return { equalBits };
    const text = await typeGroupSize(title);
    if (text !== undefined) return { groupSize: Number(text) };
  }
}
