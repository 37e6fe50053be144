import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';

export const EXTENSION_ID = 'quantscope.quantscope';
export const EDITOR = 'quantscope.safetensorsEditor';

/** The sample model, as the opened folder has it. */
export function sampleUri(): vscode.Uri {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  if (!folder) throw new Error('The tests need the sample as opened folder');
  return vscode.Uri.joinPath(folder.uri, 'model.safetensors');
}

/** A folder of its own, for a suite to write models into. */
export function scratchFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-host-'));
}

/**
 * Writes a model of one F32 tensor of zeros. The file is sparse: its size costs no disk.
 * @param shape rows, columns
 */
export function writeZeros(file: string, name: string, shape: readonly [number, number]): void {
  const bytes = shape[0] * shape[1] * 4;
  const header = Buffer.from(
    JSON.stringify({ [name]: { dtype: 'F32', shape, data_offsets: [0, bytes] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  fs.writeFileSync(file, Buffer.concat([length, header]));
  fs.truncateSync(file, 8 + header.length + bytes);
}

/** All tabs of the window. */
export function tabs(): vscode.Tab[] {
  return vscode.window.tabGroups.all.flatMap((group) => group.tabs);
}

/** The tab that shows a file in a custom editor, if there is one. */
export function customTab(uri: vscode.Uri): vscode.Tab | undefined {
  return tabs().find(
    ({ input }) =>
      input instanceof vscode.TabInputCustom && input.uri.toString() === uri.toString(),
  );
}

/** The tabs of comparison panels. */
export function comparisonTabs(): vscode.Tab[] {
  return tabs().filter(
    ({ input }) =>
      input instanceof vscode.TabInputWebview && input.viewType.endsWith('quantscope.comparison'),
  );
}

/** Waits until tabs are as wanted. */
export async function untilTabs<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => {
      const { tabGroups } = vscode.window;
      const subscriptions = [tabGroups.onDidChangeTabs, tabGroups.onDidChangeTabGroups].map(
        (event: vscode.Event<unknown>) =>
          event(() => {
            subscriptions.forEach((subscription) => subscription.dispose());
            resolve();
          }),
      );
    });
  }
}

export async function closeAllTabs(): Promise<void> {
  await vscode.window.tabGroups.close(tabs());
  await untilTabs(() => (tabs().length === 0 ? true : undefined));
}
