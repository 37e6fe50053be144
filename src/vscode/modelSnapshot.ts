import type * as vscode from 'vscode';
import type { OpenedModel } from '../checkpoint/types.js';
import { openModel } from '../model/openModel.js';
import type { CallOptions } from '../rpc/rpc.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';
import { VirtualFileSystem } from './virtualFileSystem.js';

/** What `stateOf` says of a file that is not there, or cannot be looked at. */
const ABSENT = 'absent';

/** Tells one state of a file from another; undefined where its file system cannot. */
function stateOf(path: string, fileSystem: FileSystem): Promise<string | undefined> {
  return fileSystem.version(path).catch(() => ABSENT);
}

/** A file system that notes what was looked for in it, and the state that was found. */
function noteStates(fileSystem: FileSystem, states: Map<string, string | undefined>): FileSystem {
  // Before the file is read, so that a change while it is being read counts as one after.
  const note = async (path: string) => {
    if (!states.has(path)) states.set(path, await stateOf(path, fileSystem));
  };
  return {
    isLocal: fileSystem.isLocal,
    kind: async (path) => {
      await note(path);
      return fileSystem.kind(path);
    },
    open: async (path) => {
      await note(path);
      return fileSystem.open(path);
    },
    version: (path) => fileSystem.version(path),
    list: (folder) => fileSystem.list(folder),
    join: (folder, name) => fileSystem.join(folder, name),
    split: (path) => fileSystem.split(path),
  };
}

/**
 * A model as its files were when it was opened. It is handed on instead of a URI, so that the files
 * are not read, in a virtual workspace downloaded, once more.
 */
export class ModelSnapshot {
  private constructor(
    readonly model: OpenedModel,
    private readonly states: ReadonlyMap<string, string | undefined>,
  ) {}

  /**
   * Opens the model at a URI, whose scheme chooses the file system. Of files on a local disk only
   * headers are read, and none stays open.
   * @throws CheckpointError with one line that names file, place and rule
   */
  static async open(uri: vscode.Uri, options?: CallOptions): Promise<ModelSnapshot> {
    const isLocal = uri.scheme === 'file';
    const fileSystem = isLocal ? localFileSystem : new VirtualFileSystem();
    const states = new Map<string, string | undefined>();
    const path = isLocal ? uri.fsPath : uri.toString();
    const model = await openModel(path, noteStates(fileSystem, states), options);
    return new ModelSnapshot({ ...model, fileSystem }, states);
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
    const { fileSystem } = this.model;
    return [...this.states.keys()].map((path) => fileSystem.split(path).name);
  }

  /** True where every file is as it was, as far as sizes and times of change tell. */
  async isCurrent(): Promise<boolean> {
    const { fileSystem } = this.model;
    const unchanged = await Promise.all(
      [...this.states].map(
        async ([path, state]) => state !== undefined && state === (await stateOf(path, fileSystem)),
      ),
    );
    return unchanged.every(Boolean);
  }
}
