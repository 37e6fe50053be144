import * as vscode from 'vscode';
import { isCancelled } from '../rpc/rpc.js';

/** What went wrong, as one line for people. */
export function formatError(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
}

/** Shows one error message; a cancelled job is not an error. */
export function showError(error: unknown): void {
  if (!isCancelled(error)) void vscode.window.showErrorMessage(formatError(error));
}
