import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { closeAllTabs } from './support.js';

const SCHEME = 'quantscope-test';
/** From out/host, where these tests run. */
const GPT2 = path.resolve(__dirname, '../../test/fixtures/golden-models/gpt2');

/** A folder of the disk as a file system that VS Code only knows through its provider. */
class FolderProvider implements vscode.FileSystemProvider {
  readonly onDidChangeFile = new vscode.EventEmitter<vscode.FileChangeEvent[]>().event;

  constructor(private readonly folder: string) {}

  private find(uri: vscode.Uri): string {
    const file = path.join(this.folder, uri.path);
    if (!fs.existsSync(file)) throw vscode.FileSystemError.FileNotFound(uri);
    return file;
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    const { size, mtimeMs, ctimeMs } = fs.statSync(this.find(uri));
    const isFolder = fs.statSync(this.find(uri)).isDirectory();
    const type = isFolder ? vscode.FileType.Directory : vscode.FileType.File;
    return { type, size, mtime: mtimeMs, ctime: ctimeMs };
  }

  readFile(uri: vscode.Uri): Uint8Array {
    return fs.readFileSync(this.find(uri));
  }

  readDirectory(uri: vscode.Uri): [string, vscode.FileType][] {
    return fs.readdirSync(this.find(uri)).map((name) => [name, vscode.FileType.File]);
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  createDirectory(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  writeFile(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  delete(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  rename(): void {
    throw vscode.FileSystemError.NoPermissions();
  }
}

suite('A virtual workspace', () => {
  let provider: vscode.Disposable;

  suiteSetup(() => {
    provider = vscode.workspace.registerFileSystemProvider(SCHEME, new FolderProvider(GPT2), {
      isReadonly: true,
    });
  });

  suiteTeardown(() => provider.dispose());

  teardown(closeAllTabs);

  test('gives the numbers of the same model on the disk, weights stored transposed included', async () => {
    const compare = (resource: vscode.Uri) =>
      vscode.commands.executeCommand<ComparisonReport>('quantscope.quantizeLayer', {
        resource,
        formats: ['int4:row', 'afp4:g8'],
      });
    const local = await compare(vscode.Uri.file(path.join(GPT2, 'model.safetensors')));
    const virtual = await compare(vscode.Uri.from({ scheme: SCHEME, path: '/model.safetensors' }));
    assert.deepEqual(virtual.formats, local.formats);
    assert.equal(virtual.model.architecture, 'GPT2LMHeadModel');
    const [{ bitsPerWeight, summary }] = virtual.formats;
    assert.equal(bitsPerWeight.toFixed(3), '4.469');
    assert.equal(summary.sqnrDb.toFixed(3), '21.626');
  });
});
