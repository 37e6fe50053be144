import * as vscode from 'vscode';
import { parseFormat, type ScaleDtype } from '../../formats/index.js';
import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import { withEqualStorage } from '../../jobs/equalStorage.js';
import { combineSchemes } from '../../methods/combine.js';
import type { Selection } from '../commands/quantizeTarget.js';
import type { SchemeChoice } from './choiceMemory.js';
import { formatWithGroup, hasGroupChoice } from './formatName.js';
import { pickFormats } from './formatPick.js';
import { pickGroupSize } from './groupSizePick.js';
import { pickMethods } from './methodPick.js';
import { pickPreset } from './presetPick.js';
import { formatSize } from './sizeText.js';

/** What formats are asked for, and how. */
export interface SchemeQuestion {
  readonly title: string;
  /** Steps that follow these. */
  readonly further: number;
  /** True where no format at all is an answer, too. */
  readonly allowNone: boolean;
  /** True where the model can be run, as methods and activations need it. */
  readonly runs: boolean;
  readonly selection: Selection;
  readonly scaleDtype: ScaleDtype;
}

/** "Quantize layers.3 — 7 linear weights, 1,536 KB in BF16". */
export function selectionTitle({ tensors, scope }: Selection): string {
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

/**
 * Canonical names of what was chosen, and why some combinations are left out.
 * @param selection what formats are applied to
 */
export function schemeNames(
  { names, groupSize, methods, activations, equalBits, preset }: SchemeChoice,
  { tensors }: Selection,
  scaleDtype: ScaleDtype,
): {
  readonly formats: readonly string[];
  readonly refused: readonly string[];
} {
  if (preset) return { formats: preset.formats, refused: [] };
  const shapes = tensors.map(shapeAsMatrix);
  const formats = names.map((name) =>
    equalBits !== undefined && hasGroupChoice(name)
      ? withEqualStorage(parseFormat(name), equalBits, shapes, scaleDtype).id
      : formatWithGroup(name, groupSize).id,
  );
  const { schemes, refused } = combineSchemes({ formats, methods, activations });
  return { formats: [...new Set(schemes.map(({ id }) => id))], refused };
}

/**
 * Asks for formats, then for methods and activations where the model can be run, then for the group size.
 * @param before what was chosen last time
 * @returns undefined when the user leaves
 */
export async function pickSchemes(
  question: SchemeQuestion,
  before: SchemeChoice,
): Promise<SchemeChoice | undefined> {
  const { title, further, allowNone, runs, selection, scaleDtype } = question;
  const totalSteps = further + (runs ? 3 : 2);
  const rest = { title, totalSteps };
  let choice: SchemeChoice = runs ? before : { ...before, methods: [''], activations: [''] };
  let groupIsChosen = false;
  let step: 'formats' | 'methods' | 'group' | 'group first' = 'formats';
  for (;;) {
    switch (step) {
      case 'formats': {
        const picked = await pickFormats({ ...rest, allowNone, selection, scaleDtype }, choice);
        if (!picked) return undefined;
        choice = { ...choice, names: picked.names };
        if (picked.kind === 'preset') {
          const preset = await pickPreset({ ...rest, step: 1 }, runs);
          if (!preset) return undefined;
          if (preset !== 'back') return { ...choice, preset };
        } else if (picked.kind === 'group') step = 'group first';
        else if (picked.names.length === 0) return choice;
        else step = runs ? 'methods' : 'group';
        break;
      }
      case 'methods': {
        const picked = await pickMethods({ ...rest, step: 2 }, choice, choice.names);
        if (!picked) return undefined;
        if (picked !== 'back') choice = { ...choice, ...picked };
        step = picked === 'back' ? 'formats' : 'group';
        break;
      }
      default: {
        const asked: 'group' | 'group first' = step;
        if (asked === 'group' && (groupIsChosen || !choice.names.some(hasGroupChoice)))
          return choice;
        const place = { ...rest, step: runs ? 3 : 2 };
        const picked = await pickGroupSize(place, selection, choice, scaleDtype);
        if (picked === undefined) return undefined;
        if (picked !== 'back') choice = { ...choice, equalBits: undefined, ...picked };
        if (asked === 'group' && picked !== 'back') return choice;
        groupIsChosen ||= asked === 'group first' && picked !== 'back';
        step = asked === 'group' && runs ? 'methods' : 'formats';
      }
    }
  }
}
