import * as vscode from 'vscode';
import type { CallOptions } from '../rpc/rpc.js';

/** Runs a job that has no page of its own under a notification with progress and Cancel. */
export function withNotification<T>(
  title: string,
  job: (options: CallOptions) => Promise<T>,
): Thenable<T> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress({ location, title, cancellable: true }, (progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    let shown = 0;
    return job({
      signal: abort.signal,
      onProgress: ({ done, total, message }) => {
        const share = total > 0 ? (100 * done) / total : 0;
        // What VS Code is told are steps; messages for less than one would only be in its way.
        if (share - shown < 1 && share < 100) return;
        progress.report({ increment: share - shown, message });
        shown = share;
      },
    });
  });
}
