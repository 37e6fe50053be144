import * as vscode from 'vscode';

/** How a step of a multi-step choice ended; undefined when the user left. */
export type StepResult<T extends vscode.QuickPickItem> =
  | { readonly kind: 'accepted'; readonly items: readonly T[] }
  | { readonly kind: 'back' }
  | {
      readonly kind: 'button';
      readonly button: vscode.QuickInputButton;
      readonly items: readonly T[];
    }
  | undefined;

/**
 * Shows one step as a native quick pick.
 * @param configure sets title, items, selection and buttons
 * @param emptyText said in place of the placeholder when a multiple choice is accepted empty;
 *   undefined where that is an answer, too
 */
export function showStep<T extends vscode.QuickPickItem>(
  configure: (pick: vscode.QuickPick<T>) => void,
  emptyText: string | undefined,
): Promise<StepResult<T>> {
  return new Promise((resolve) => {
    const pick = vscode.window.createQuickPick<T>();
    const end = (result: StepResult<T>) => {
      resolve(result);
      pick.dispose();
    };
    configure(pick);
    // A webview gets the focus back after its context menu has closed, which may be after this pick
    // has opened; it must not vanish for that. Escape still leaves.
    pick.ignoreFocusOut = true;
    pick.onDidAccept(() => {
      if (pick.selectedItems.length > 0 || emptyText === undefined)
        end({ kind: 'accepted', items: pick.selectedItems });
      else pick.placeholder = emptyText;
    });
    pick.onDidTriggerButton((button) => {
      if (button === vscode.QuickInputButtons.Back) end({ kind: 'back' });
      else end({ kind: 'button', button, items: pick.selectedItems });
    });
    pick.onDidHide(() => end(undefined));
    pick.show();
  });
}
