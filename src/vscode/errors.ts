import * as vscode from 'vscode';
import { isCancelled } from '../rpc/rpc.js';
import { describeError } from '../storage/describeError.js';

/** Shows one error message; a cancelled job is not an error. */
export function showError(error: unknown): void {
  if (!isCancelled(error)) void vscode.window.showErrorMessage(describeError(error));
}
