import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { closeAllTabs, comparisonTabs, EDITOR, untilTabs } from './support.js';

const SCHEME = 'quantscope-test';
/** From out/host, where these tests run. */
const GPT2 = path.resolve(__dirname, '../../test/fixtures/golden-models/gpt2');

/** A folder of the disk as a file system that VS Code only knows through its provider. */
class FolderProvider implements vscode.FileSystemProvider {
  private readonly changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.changed.event;

  /** Paths of the files that were read, in the order of the readings. */
  readonly readings: string[] = [];
  private readonly read = new vscode.EventEmitter<void>();
  readonly onDidReadFile = this.read.event;
  private readonly replaced = new Map<string, Uint8Array>();

  constructor(private readonly folder: string) {}

  /** Changes what a file holds, but neither its size nor its time, so that only watching tells. */
  replace(uri: vscode.Uri, content: Uint8Array): void {
    this.replaced.set(uri.path, content);
    this.changed.fire([{ type: vscode.FileChangeType.Changed, uri }]);
  }

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
    this.readings.push(uri.path);
    this.read.fire();
    return this.replaced.get(uri.path) ?? fs.readFileSync(this.find(uri));
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
  const MODEL = vscode.Uri.from({ scheme: SCHEME, path: '/model.safetensors' });
  const CONFIG = vscode.Uri.joinPath(MODEL, '../config.json');

  let folder: FolderProvider;
  let registration: vscode.Disposable;

  setup(() => {
    folder = new FolderProvider(GPT2);
    registration = vscode.workspace.registerFileSystemProvider(SCHEME, folder, {
      isReadonly: true,
    });
  });

  teardown(async () => {
    await closeAllTabs();
    registration.dispose();
  });

  async function compare(resource: vscode.Uri): Promise<ComparisonReport> {
    const report = await vscode.commands.executeCommand<ComparisonReport>(
      'quantscope.quantizeLayer',
      { resource, formats: ['int4:row', 'afp4:g8'] },
    );
    // So that its panel can be closed.
    await untilTabs(() => (comparisonTabs().length > 0 ? true : undefined));
    return report;
  }

  function timesRead({ path: wanted }: vscode.Uri): number {
    return folder.readings.filter((read) => read === wanted).length;
  }

  test('gives the numbers of the same model on the disk, weights stored transposed included', async () => {
    const local = await compare(vscode.Uri.file(path.join(GPT2, 'model.safetensors')));
    const virtual = await compare(MODEL);
    assert.deepEqual(virtual.formats, local.formats);
    assert.equal(virtual.model.architecture, 'GPT2LMHeadModel');
    const [{ bitsPerWeight, summary }] = virtual.formats;
    assert.equal(bitsPerWeight.toFixed(3), '4.469');
    assert.equal(summary.sqnrDb.toFixed(3), '21.626');
  });

  async function untilRead(uri: vscode.Uri): Promise<void> {
    while (timesRead(uri) === 0) {
      await new Promise<void>((resolve) => {
        const subscription = folder.onDidReadFile(() => {
          subscription.dispose();
          resolve();
        });
      });
    }
  }

  test('is read once for a command that compares', async () => {
    await compare(MODEL);
    assert.deepEqual([timesRead(MODEL), timesRead(CONFIG)], [1, 1]);
  });

  test('is read once for an editor and commands, and again when its configuration changed', async () => {
    await vscode.commands.executeCommand('vscode.openWith', MODEL, EDITOR);
    await untilRead(CONFIG);
    const before = await compare(MODEL);
    assert.equal(before.model.architecture, 'GPT2LMHeadModel');
    assert.deepEqual([timesRead(MODEL), timesRead(CONFIG)], [1, 1]);

    const text = fs.readFileSync(path.join(GPT2, 'config.json'), 'utf8');
    folder.replace(CONFIG, Buffer.from(text.replace('GPT2LMHeadModel', 'GPT2LMHeadOther')));
    // The editor hears of the change some time later; till then its model is as it was.
    let after = await compare(MODEL);
    while (after.model.architecture !== 'GPT2LMHeadOther') after = await compare(MODEL);
    assert.deepEqual([timesRead(MODEL), timesRead(CONFIG)], [2, 2]);
  });
});
