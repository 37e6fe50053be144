import * as vscode from 'vscode';
import { estimateCalibration } from '../../jobs/perplexity/estimateCalibration.js';
import type { CalibrationSettings } from '../../jobs/perplexity/measurement.js';
import type { LanguageModel } from '../../model/evaluation/types.js';
import type { CalibrationAmount } from './choiceMemory.js';
import { showStep } from './quickPick.js';
import { pickText, type StepPlace, type TextQuestion } from './textPick.js';
import { durationText } from './windowsPick.js';

/** What is known before calibration is asked about. */
export interface CalibrationQuestion extends StepPlace {
  readonly text: Omit<TextQuestion, 'purpose'>;
  readonly model: LanguageModel;
  /** Canonical names of what is compared. */
  readonly formats: readonly string[];
  readonly secondsFor: (flops: number) => number;
}

interface AmountItem extends vscode.QuickPickItem {
  readonly amount: CalibrationAmount;
}

/** Windows and tokens of each, from quick to what papers use. */
const AMOUNTS: readonly Required<CalibrationAmount>[] = [
  { windows: 16, context: 256 },
  { windows: 64, context: 256 },
  { windows: 32, context: 512 },
  { windows: 128, context: 512 },
  { windows: 128, context: 2048 },
];

function amountItems({ model, formats, secondsFor }: CalibrationQuestion): AmountItem[] {
  const price = (amount: CalibrationAmount) =>
    durationText(secondsFor(estimateCalibration(model, formats, amount)));
  const { maxPositions } = model.plan;
  return [
    {
      amount: {},
      label: vscode.l10n.t('As much as each method takes'),
      description: price({}),
      detail: vscode.l10n.t('Published amounts, scaled to a CPU'),
    },
    ...AMOUNTS.filter(({ context }) => context <= maxPositions).map((amount) => ({
      amount,
      label: vscode.l10n.t(
        '{0} windows of {1} tokens',
        amount.windows.toLocaleString('en-US'),
        amount.context.toLocaleString('en-US'),
      ),
      description: price(amount),
    })),
  ];
}

async function pickAmount(
  question: CalibrationQuestion,
  before: CalibrationAmount | undefined,
): Promise<CalibrationAmount | 'back' | undefined> {
  const items = amountItems(question);
  const result = await showStep<AmountItem>((pick) => {
    pick.title = question.title;
    pick.step = question.step + 1;
    pick.totalSteps = question.totalSteps;
    pick.placeholder = vscode.l10n.t(
      'How much of it methods see; times are estimates for what is not kept from before',
    );
    pick.buttons = [vscode.QuickInputButtons.Back];
    pick.items = items;
    const same = items.find(
      ({ amount }) => amount.windows === before?.windows && amount.context === before?.context,
    );
    pick.activeItems = [same ?? items[0]];
  }, '');
  if (!result) return undefined;
  return result.kind === 'accepted' ? result.items[0].amount : 'back';
}

/** Steps of {@link pickCalibration}. */
export const CALIBRATION_STEPS = 2;

/**
 * Asks for the calibration text and how much of it methods see.
 * @returns 'back' for the step before; undefined when the user leaves
 */
export async function pickCalibration(
  question: CalibrationQuestion,
): Promise<CalibrationSettings | 'back' | undefined> {
  const { memory } = question.text;
  for (;;) {
    const text = await pickText({ ...question.text, purpose: 'calibration' }, question);
    if (!text || text === 'back') return text;
    const amount = await pickAmount(question, memory.calibrationAmount);
    if (amount === 'back') continue;
    if (amount) await memory.rememberCalibrationAmount(amount);
    return amount && { textFile: text.file, ...amount };
  }
}
