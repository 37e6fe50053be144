import * as vscode from 'vscode';
import type { PerplexityPlan } from '../../jobs/perplexity/node/planPerplexity.js';
import type { WindowsChoice } from './choiceMemory.js';
import { showStep } from './quickPick.js';
import type { StepPlace } from './textPick.js';

/** What is known before the windows are asked for. */
export interface WindowsQuestion extends StepPlace {
  readonly formats: number;
  readonly tensors: number;
  /** Windows and costs, once the text is tokenized. */
  readonly plan: Promise<PerplexityPlan>;
  readonly secondsFor: (flops: number) => number;
}

interface WindowsItem extends vscode.QuickPickItem {
  /** Absent for separators. */
  readonly choice?: WindowsChoice;
}

const FIRST_WINDOWS = [16, 64];
/** A run that should take longer than this is not what Enter starts by itself. */
const LONG_SECONDS = 120;

/** A time for people: "about 3 min". */
export function durationText(seconds: number): string {
  if (seconds < 1.5) return vscode.l10n.t('about a second');
  if (seconds < 90) return vscode.l10n.t('about {0} s', Math.round(seconds));
  if (seconds < 5400) return vscode.l10n.t('about {0} min', Math.round(seconds / 60));
  return vscode.l10n.t('about {0} h', (seconds / 3600).toFixed(1));
}

/** Seconds that a choice should take. */
function priceOf(
  { windows, perLayer }: WindowsChoice,
  plan: PerplexityPlan,
  secondsFor: (flops: number) => number,
): number {
  const rows = plan.windows.slice(0, windows).reduce((sum, tokens) => sum + tokens, 0);
  const { baselineFlops, wholeFlops, aloneFlops } = plan;
  return secondsFor(rows * (baselineFlops + wholeFlops + (perLayer ? aloneFlops : 0)));
}

function windowsItems(
  { formats, tensors, secondsFor }: WindowsQuestion,
  plan: PerplexityPlan,
): WindowsItem[] {
  const count = (value: number) => value.toLocaleString('en-US');
  const item = (windows: number | undefined, perLayer: boolean): WindowsItem => {
    const choice = { windows, perLayer };
    const label =
      windows === undefined
        ? vscode.l10n.t('All windows')
        : vscode.l10n.t('First {0} windows', windows);
    const shown = plan.windows.slice(0, windows);
    const tokens = count(shown.reduce((sum, length) => sum + length - 1, 0));
    const size =
      windows === undefined
        ? vscode.l10n.t('{0} windows, {1} tokens', count(shown.length), tokens)
        : vscode.l10n.t('{0} tokens', tokens);
    return {
      choice,
      // Each label once: a list of equal ones is of no use to who hears it.
      label: perLayer ? vscode.l10n.t('{0} + each tensor alone', label) : label,
      description: `${size} · ${durationText(priceOf(choice, plan, secondsFor))}`,
    };
  };
  const all = plan.windows.length;
  const firsts = FIRST_WINDOWS.filter((windows) => windows < all);
  const items = (perLayer: boolean) =>
    [undefined, ...firsts.toReversed()].map((windows) => item(windows, perLayer));
  if (formats === 0 || tensors < 2) return items(false);
  const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const alone = vscode.l10n.t(
    'also each of {0} tensors alone in {1}',
    count(tensors),
    formats === 1 ? vscode.l10n.t('the format') : vscode.l10n.t('each of {0} formats', formats),
  );
  return [
    separator(vscode.l10n.t('all chosen tensors together')),
    ...items(false),
    separator(alone),
    ...items(true),
  ];
}

/** What Enter takes: what was chosen last; else everything, or the least where that takes long. */
function proposal(
  items: readonly WindowsItem[],
  before: WindowsChoice | undefined,
  { secondsFor }: WindowsQuestion,
  plan: PerplexityPlan,
): WindowsItem {
  const choices = items.filter(({ choice }) => choice !== undefined);
  const same = choices.find(
    ({ choice }) => choice!.windows === before?.windows && choice!.perLayer === before?.perLayer,
  );
  if (same) return same;
  const price = ({ choice }: WindowsItem) => priceOf(choice!, plan, secondsFor);
  if (price(choices[0]) <= LONG_SECONDS) return choices[0];
  return choices.reduce((least, each) => (price(each) < price(least) ? each : least));
}

/**
 * Asks how much of a text is scored. Numbers and prices appear when the text is tokenized; where it
 * cannot be, there is nothing to ask.
 * @returns 'back' for the step before; 'failed' where the plan rejected; undefined when the user leaves
 */
export async function pickWindows(
  question: WindowsQuestion,
  before: WindowsChoice | undefined,
): Promise<WindowsChoice | 'back' | 'failed' | undefined> {
  let failed = false;
  let over = false;
  const waiting = vscode.l10n.t('Tokenizing the text…');
  const result = await showStep<WindowsItem>((pick) => {
    pick.title = question.title;
    pick.step = question.step;
    pick.totalSteps = question.totalSteps;
    pick.placeholder = waiting;
    if (question.step > 1) pick.buttons = [vscode.QuickInputButtons.Back];
    // Nothing can be accepted before its price is known.
    pick.busy = true;
    question.plan.then(
      (plan) => {
        if (over) return;
        const items = windowsItems(question, plan);
        pick.busy = false;
        pick.placeholder = vscode.l10n.t('How much of it');
        pick.items = items;
        pick.activeItems = [proposal(items, before, question, plan)];
      },
      () => {
        failed = true;
        if (!over) pick.hide();
      },
    );
  }, waiting);
  over = true;
  if (failed) return 'failed';
  if (!result) return undefined;
  return result.kind === 'accepted' ? result.items[0].choice : 'back';
}
