import * as vscode from 'vscode';
import { FORMAT_CATALOGUE } from '../../formats/index.js';
import type { FormatEntry, ScaleDtype } from '../../formats/index.js';
import type { FormatChoice } from './choiceMemory.js';
import { formatCost, formatWithGroup, hasGroupChoice } from './formatName.js';
import { pickGroupSize } from './groupSizePick.js';
import type { Selection } from '../commands/quantizeTarget.js';
import { showStep } from './quickPick.js';
import { formatSize } from './sizeText.js';

interface FormatItem extends vscode.QuickPickItem {
  /** Catalogue name; absent for separators. */
  readonly name?: string;
}

/** Families that are looked for side by side, whether their groups are fixed or not. */
const ASYMMETRIC_FAMILIES: readonly FormatEntry['family'][] = ['AFPQ', 'dINT', 'Special values'];

/** The part of the list that an entry stands in. */
function sectionOf(entry: FormatEntry, preselected: readonly string[]): string {
  if (preselected.includes(entry.name)) return vscode.l10n.t('preselected');
  if (ASYMMETRIC_FAMILIES.includes(entry.family)) {
    return vscode.l10n.t('asymmetric and special-value formats');
  }
  // Formats with blocks of their own are looked for by where they come from.
  return entry.fixedGroup ? entry.family : vscode.l10n.t('{0} bits', entry.bits);
}

/** Catalogue entries by section, those ticked already first, else in the order of the catalogue. */
function sections(preselected: readonly string[]): Map<string, FormatEntry[]> {
  const isTicked = ({ name }: FormatEntry) => preselected.includes(name);
  const list = [
    ...FORMAT_CATALOGUE.filter(isTicked),
    ...FORMAT_CATALOGUE.filter((entry) => !isTicked(entry)),
  ];
  const found = new Map<string, FormatEntry[]>();
  for (const entry of list) {
    const section = sectionOf(entry, preselected);
    found.set(section, [...(found.get(section) ?? []), entry]);
  }
  return found;
}

function formatItems(
  selection: Selection,
  { names, groupSize }: FormatChoice,
  scaleDtype: ScaleDtype,
): FormatItem[] {
  const items: FormatItem[] = [];
  for (const [section, entries] of sections(names)) {
    items.push({ label: section, kind: vscode.QuickPickItemKind.Separator });
    for (const { name, label, description } of entries) {
      const format = formatWithGroup(name, groupSize);
      const cost = formatCost(format, selection.tensors, scaleDtype);
      const bitsText = vscode.l10n.t('{0} bits/weight', cost.bitsPerWeight.toFixed(3));
      items.push({
        name,
        label,
        description: `${bitsText} · ${formatSize(cost.bytes)} · ${description}`,
      });
    }
  }
  return items;
}

/** What formats are asked for. */
export interface FormatPurpose {
  readonly title: string;
  readonly totalSteps: number;
  /** True where no format at all is an answer, too. */
  readonly allowNone: boolean;
}

/** "Quantize layers.3 — 7 linear weights, 1,536 KB in BF16". */
function selectionTitle({ tensors, scope }: Selection): string {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))].join(', ');
  return tensors.length === 1
    ? vscode.l10n.t('Quantize {0} — {1} in {2}', scope, formatSize(bytes), dtypes)
    : vscode.l10n.t(
        'Quantize {0} — {1} linear weights, {2} in {3}',
        scope,
        tensors.length.toLocaleString('en-US'),
        formatSize(bytes),
        dtypes,
      );
}

const CATALOGUE_ORDER = FORMAT_CATALOGUE.map(({ name }) => name);

/**
 * Asks for formats, then for the group size. The gear asks for the group size first, so that the
 * costs shown beside the formats are those of that size.
 * @param before what was chosen last time
 * @returns undefined when the user leaves
 */
export async function pickFormats(
  selection: Selection,
  before: FormatChoice,
  scaleDtype: ScaleDtype,
  purpose: FormatPurpose = { title: selectionTitle(selection), totalSteps: 2, allowNone: false },
): Promise<FormatChoice | undefined> {
  const { title, totalSteps, allowNone } = purpose;
  let { names, groupSize } = before;
  let groupSizeChosen = false;
  for (;;) {
    const gear: vscode.QuickInputButton = {
      iconPath: new vscode.ThemeIcon('gear'),
      tooltip: vscode.l10n.t(
        'Group Size: {0}',
        groupSize === 0 ? vscode.l10n.t('whole row') : String(groupSize),
      ),
    };
    const result = await showStep<FormatItem>(
      (pick) => {
        const items = formatItems(selection, { names, groupSize }, scaleDtype);
        pick.title = title;
        pick.step = 1;
        pick.totalSteps = totalSteps;
        pick.placeholder = allowNone
          ? vscode.l10n.t('Tick formats, or none for the unquantized model alone')
          : vscode.l10n.t('Filter by name or bits');
        pick.canSelectMany = true;
        pick.matchOnDescription = true;
        pick.buttons = [gear];
        pick.items = items;
        pick.selectedItems = items.filter(({ name }) => name !== undefined && names.includes(name));
      },
      allowNone ? undefined : vscode.l10n.t('Tick at least one format'),
    );
    if (!result || result.kind === 'back') return undefined;
    // In the order of the menu, not of ticking: the same choice then always looks the same.
    names = CATALOGUE_ORDER.filter((name) => result.items.some((item) => item.name === name));
    const accepted = result.kind === 'accepted';
    if (accepted && (groupSizeChosen || !names.some(hasGroupChoice))) return { names, groupSize };

    const choice = { names, groupSize };
    const group = await pickGroupSize(title, selection, choice, scaleDtype, totalSteps);
    if (group === undefined) return undefined;
    if (group === 'back') continue;
    groupSize = group;
    if (accepted) return { names, groupSize };
    groupSizeChosen = true;
  }
}
