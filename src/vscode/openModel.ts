import type * as vscode from 'vscode';
import type { OpenedModel } from '../checkpoint/types.js';
import { openModel as openFrom } from '../model/openModel.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';
import { VirtualFileSystem } from './virtualFileSystem.js';

/**
 * Opens the model at a URI, whose scheme chooses the file system. Of files on a local disk only headers
 * are read, and none stays open.
 * @throws CheckpointError with one line that names file, place and rule
 */
export function openModel(uri: vscode.Uri): Promise<OpenedModel> {
  return uri.scheme === 'file'
    ? openFrom(uri.fsPath, localFileSystem)
    : openFrom(uri.toString(), new VirtualFileSystem());
}
