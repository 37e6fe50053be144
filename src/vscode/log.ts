import * as vscode from 'vscode';

/** The "Quantscope" channel of VS Code's Output view. */
export const log = vscode.window.createOutputChannel('Quantscope', { log: true });
