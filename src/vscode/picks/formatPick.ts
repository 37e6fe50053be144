import * as vscode from 'vscode';
import { FORMAT_CATALOGUE } from '../../formats/index.js';
import type { FormatEntry, ScaleDtype } from '../../formats/index.js';
import type { FormatChoice } from './choiceMemory.js';
import { formatCost, formatWithGroup } from './formatName.js';
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

/** By what else people look for a format: tools and methods that store it, files that are made of it. */
function searchWords({ family, name, label }: FormatEntry): readonly string[] {
  switch (family) {
    case 'Integer':
      return ['GPTQ, AWQ, HQQ'];
    case 'GGUF':
      // Types that llama.cpp mixes in files named after the one that most weights have.
      return [
        'llama.cpp',
        ...(/^q[2-6]_k$/.test(name) ? [`${label}_S, ${label}_M, ${label}_L`] : []),
      ];
    default:
      return [family];
  }
}

function formatItems(
  selection: Selection,
  { names, groupSize }: Pick<FormatChoice, 'names' | 'groupSize'>,
  scaleDtype: ScaleDtype,
): FormatItem[] {
  const items: FormatItem[] = [];
  for (const [section, entries] of sections(names)) {
    items.push({ label: section, kind: vscode.QuickPickItemKind.Separator });
    for (const entry of entries) {
      const { name, label, description } = entry;
      const format = formatWithGroup(name, groupSize);
      const cost = formatCost(format, selection.tensors, scaleDtype);
      const bitsText = vscode.l10n.t('{0} bits/weight', cost.bitsPerWeight.toFixed(3));
      items.push({
        name,
        label,
        description: [
          ...[bitsText, formatSize(cost.bytes), description],
          ...searchWords(entry),
        ].join(' · '),
      });
    }
  }
  return items;
}

const CATALOGUE_ORDER = FORMAT_CATALOGUE.map(({ name }) => name);

/** How formats are asked for. */
export interface FormatQuestion {
  readonly title: string;
  readonly totalSteps: number;
  /** True where no format at all is an answer, too. */
  readonly allowNone: boolean;
  readonly selection: Selection;
  readonly scaleDtype: ScaleDtype;
}

/** What became of the step: `group` where the group size is to be chosen first, `preset` where formats that belong together are. */
export interface PickedFormats {
  readonly kind: 'accepted' | 'group' | 'preset';
  /** Catalogue names, in the order of the menu. */
  readonly names: readonly string[];
}

/**
 * Asks for formats. Its gear asks for the group size first, so that the costs shown beside the formats are
 * those of that size.
 * @param before what is ticked already, and the group size
 * @returns undefined when the user leaves
 */
export async function pickFormats(
  { title, totalSteps, allowNone, selection, scaleDtype }: FormatQuestion,
  { names, groupSize }: Pick<FormatChoice, 'names' | 'groupSize'>,
): Promise<PickedFormats | undefined> {
  const gear: vscode.QuickInputButton = {
    iconPath: new vscode.ThemeIcon('gear'),
    tooltip: vscode.l10n.t(
      'Group Size: {0}',
      groupSize === 0 ? vscode.l10n.t('whole row') : String(groupSize),
    ),
  };
  const list: vscode.QuickInputButton = {
    iconPath: new vscode.ThemeIcon('list-selection'),
    tooltip: vscode.l10n.t('Presets'),
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
      pick.buttons = [list, gear];
      pick.items = items;
      pick.selectedItems = items.filter(({ name }) => name !== undefined && names.includes(name));
    },
    allowNone ? undefined : vscode.l10n.t('Tick at least one format'),
  );
  if (!result || result.kind === 'back') return undefined;
  return {
    kind: result.kind === 'accepted' ? 'accepted' : result.button === list ? 'preset' : 'group',
    // In the order of the menu, not of ticking: the same choice then always looks the same.
    names: CATALOGUE_ORDER.filter((name) => result.items.some((item) => item.name === name)),
  };
}
