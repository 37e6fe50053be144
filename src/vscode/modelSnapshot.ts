import type * as vscode from 'vscode';
import type { OpenedModel } from '../checkpoint/types.js';
import { openModel } from '../model/openModel.js';
import type { CallOptions } from '../rpc/rpc.js';
import { areUnchanged } from '../storage/inputs.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';
import { VirtualFileSystem } from './virtualFileSystem.js';

/**
 * A model as its files were when it was opened. It is handed on instead of a URI, so that the files
 * are not read, in a virtual workspace downloaded, once more.
 */
export class ModelSnapshot {
  private constructor(readonly model: OpenedModel) {}

  /**
   * Opens the model at a URI, whose scheme chooses the file system. Of files on a local disk only
   * headers are read, and none stays open.
   * @throws CheckpointError with one line that names file, place and rule
   */
  static async open(uri: vscode.Uri, options?: CallOptions): Promise<ModelSnapshot> {
    const isLocal = uri.scheme === 'file';
    const fileSystem = isLocal ? localFileSystem : new VirtualFileSystem();
    const path = isLocal ? uri.fsPath : uri.toString();
    return new ModelSnapshot(await openModel(path, fileSystem, options));
  }

  /**
   * The model at a URI as its files are now: as opened before, where that is still current.
   * @param before a snapshot of the same model
   * @throws CheckpointError like `open`
   */
  static async current(uri: vscode.Uri, before?: ModelSnapshot): Promise<ModelSnapshot> {
    return before && (await before.isCurrent()) ? before : ModelSnapshot.open(uri);
  }

  /** Names of the files that the model depends on, those that it lacks included. */
  get fileNames(): readonly string[] {
    const { fileSystem, inputs } = this.model;
    return [...inputs.keys()].map((path) => fileSystem.split(path).name);
  }

  /** True where every file is as it was, as far as sizes and times of change tell. */
  isCurrent(): Promise<boolean> {
    return areUnchanged(this.model.inputs, this.model.fileSystem);
  }
}
