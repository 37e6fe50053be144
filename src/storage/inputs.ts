import { CheckpointError } from './errors.js';
import type { FileSystem } from './fileSystem.js';

/** What was found at a path when a job first looked there. */
export interface InputState {
  /** The file system's `version`; `ABSENT` where nothing is; undefined where it cannot tell. */
  readonly version: string | undefined;
  /** False for what was only looked for. */
  readonly wasRead: boolean;
}

/** What a job has looked at in one file system, by path. Plain data. */
export type InputStates = ReadonlyMap<string, InputState>;

/** The version of a file that is not there, or cannot be looked at. */
const ABSENT = 'absent';

function versionOf(fileSystem: FileSystem, path: string): Promise<string | undefined> {
  return fileSystem.version(path).catch(() => ABSENT);
}

/** A file system that records what is looked at in it, in `states`. */
export function recordInputs(fileSystem: FileSystem, states: Map<string, InputState>): FileSystem {
  const note = async (path: string) => {
    if (states.has(path)) return;
    states.set(path, { version: await versionOf(fileSystem, path), wasRead: false });
  };
  // The version is that of before, so that a change while a file is being read counts as one after.
  const noteRead = async <Content>(path: string, read: () => Promise<Content>) => {
    await note(path);
    const content = await read();
    states.set(path, { version: states.get(path)?.version, wasRead: true });
    return content;
  };
  return {
    isLocal: fileSystem.isLocal,
    kind: async (path) => {
      await note(path);
      return fileSystem.kind(path);
    },
    open: (path) => noteRead(path, () => fileSystem.open(path)),
    read: (path, limit) => noteRead(path, () => fileSystem.read(path, limit)),
    version: (path) => fileSystem.version(path),
    list: (folder) => fileSystem.list(folder),
    join: (folder, name) => fileSystem.join(folder, name),
    split: (path) => fileSystem.split(path),
  };
}

/** True where everything is as it was, as far as sizes and times tell; also what was absent. */
export async function areUnchanged(states: InputStates, fileSystem: FileSystem): Promise<boolean> {
  const same = await Promise.all(
    [...states].map(
      async ([path, { version }]) =>
        version !== undefined && version === (await versionOf(fileSystem, path)),
    ),
  );
  return same.every(Boolean);
}

/**
 * Refuses results of files that changed while they were computed, which may be of both.
 * @throws CheckpointError FileChanged that names the first file that was read and is not as it was
 */
export async function refuseChanged(states: InputStates, fileSystem: FileSystem): Promise<void> {
  await Promise.all(
    [...states].map(async ([path, { version, wasRead }]) => {
      if (!wasRead || version === undefined) return;
      const now = await versionOf(fileSystem, path);
      if (now === version) return;
      const how = now === ABSENT ? 'is gone' : 'changed';
      const detail = `the file ${how} while the job ran, so its result may be of neither state; run it again`;
      throw new CheckpointError(path, '', 'FileChanged', detail);
    }),
  );
}
