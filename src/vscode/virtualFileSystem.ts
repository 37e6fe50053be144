import * as vscode from 'vscode';
import { makeMemorySource } from '../storage/byteSource.js';
import { CheckpointError } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { refusePlaceholder } from '../storage/placeholders.js';
import { refuseLarger, type SizeLimit } from '../storage/wholeFiles.js';

/**
 * VS Code reads files of other file systems whole, so this much is held in memory. Larger models
 * are for local disks.
 */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

function megabytes(bytes: number): string {
  return Math.ceil(bytes / 1024 ** 2).toLocaleString('en-US');
}

function baseName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

function isNotFound(error: unknown): boolean {
  return error instanceof vscode.FileSystemError && error.code === 'FileNotFound';
}

/** @throws CheckpointError NotAFile */
async function statFile(uri: vscode.Uri, name: string): Promise<vscode.FileStat> {
  const found = await vscode.workspace.fs.stat(uri);
  if (found.type & vscode.FileType.File) return found;
  throw new CheckpointError(name, '', 'NotAFile', vscode.l10n.t('this is not a file'));
}

/**
 * Reads a file whole through VS Code, which knows no way to read a part: its size is looked at before
 * and after.
 * @param name for messages
 * @throws CheckpointError NotAFile, FileTooLarge or NotDownloaded; what the file system throws
 */
export async function readWorkspaceFile(
  uri: vscode.Uri,
  name: string,
  limit: SizeLimit,
): Promise<Uint8Array> {
  refuseLarger(name, (await statFile(uri, name)).size, limit);
  const content = await vscode.workspace.fs.readFile(uri);
  refuseLarger(name, content.byteLength, limit);
  refusePlaceholder(name, content);
  return content;
}

/** The files of a virtual workspace, loaded as they are opened. Paths are the text of URIs. */
export class VirtualFileSystem implements FileSystem {
  readonly isLocal = false;
  /** Contents of the files opened so far, by path. */
  private readonly loaded = new Map<string, SharedArrayBuffer>();
  private totalBytes = 0;

  async kind(path: string) {
    try {
      const { type } = await vscode.workspace.fs.stat(vscode.Uri.parse(path, true));
      if (type & vscode.FileType.Directory) return 'folder';
      return type & vscode.FileType.File ? 'file' : 'other';
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async version(path: string) {
    const { size, mtime } = await vscode.workspace.fs.stat(vscode.Uri.parse(path, true));
    return `${size} ${mtime}`;
  }

  async open(path: string) {
    const uri = vscode.Uri.parse(path, true);
    const name = baseName(uri);
    const known = this.loaded.get(path);
    if (known) return makeMemorySource(name, new Uint8Array(known));
    const { size } = await statFile(uri, name);
    this.refuseTooMuch(name, size);
    const content = await vscode.workspace.fs.readFile(uri);
    // Once more: what a file system says of a file's size need not be true.
    this.refuseTooMuch(name, content.byteLength);
    this.totalBytes += content.byteLength;
    // Shared, so that the workers see it without a copy each.
    const shared = new SharedArrayBuffer(content.byteLength);
    const bytes = new Uint8Array(shared);
    bytes.set(content);
    this.loaded.set(path, shared);
    return makeMemorySource(name, bytes);
  }

  async read(path: string, limit: SizeLimit) {
    const uri = vscode.Uri.parse(path, true);
    return readWorkspaceFile(uri, baseName(uri), limit);
  }

  private refuseTooMuch(name: string, bytes: number): void {
    const total = this.totalBytes + bytes;
    if (total <= MAX_FILE_BYTES) return;
    const detail = vscode.l10n.t(
      'models that are not on a local disk can be opened up to {0} MB, this is {1} MB or more; copy it to a local folder',
      megabytes(MAX_FILE_BYTES),
      megabytes(total),
    );
    throw new CheckpointError(name, '', 'ReadFailed', detail);
  }

  async list(folder: string) {
    const entries = await vscode.workspace.fs.readDirectory(vscode.Uri.parse(folder, true));
    return entries.map(([name]) => name);
  }

  join(folder: string, name: string) {
    return vscode.Uri.joinPath(vscode.Uri.parse(folder, true), name).toString();
  }

  split(path: string) {
    const uri = vscode.Uri.parse(path, true);
    return { folder: vscode.Uri.joinPath(uri, '..').toString(), name: baseName(uri) };
  }
}
