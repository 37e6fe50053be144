import * as vscode from 'vscode';
import type { ComparisonRun } from './comparisonRun.js';
import { COMMAND } from '../identifiers.js';

/**
 * The way back to comparisons that run while their panels are hidden: entries in the status bar.
 * A visible panel shows its own progress, with Cancel.
 */
export class ComparisonStatus implements vscode.Disposable {
  private readonly items = new Map<string, vscode.StatusBarItem>();

  /** Shows, updates or removes the entry of a run. */
  show({ state, request }: ComparisonRun, panelVisible: boolean): void {
    const id = state.id!;
    if (panelVisible || state.status !== 'running') {
      this.remove(id);
      return;
    }
    const item = this.items.get(id) ?? this.add(id);
    const { done, total } = state.progress ?? { done: 0, total: 0 };
    const share = total > 0 ? Math.floor((100 * done) / total) : 0;
    const text =
      state.phase === 'perplexity'
        ? vscode.l10n.t('Measuring perplexity: {0} %', share)
        : vscode.l10n.t('Comparing formats: {0} %', share);
    item.text = `$(loading~spin) ${text}`;
    item.tooltip = vscode.l10n.t(
      '{0}, {1}. Select to see its progress or cancel it.',
      request.modelName,
      request.scope,
    );
  }

  remove(id: string): void {
    this.items.get(id)?.dispose();
    this.items.delete(id);
  }

  dispose(): void {
    for (const id of [...this.items.keys()]) this.remove(id);
  }

  private add(id: string): vscode.StatusBarItem {
    const item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Left);
    item.name = vscode.l10n.t('Format Comparison');
    item.command = {
      command: COMMAND.showComparison,
      title: vscode.l10n.t('Show Comparison'),
      arguments: [id],
    };
    this.items.set(id, item);
    item.show();
    return item;
  }
}
