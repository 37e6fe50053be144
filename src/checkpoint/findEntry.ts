import { CheckpointError, listQuoted, visible } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { CONTAINERS, containerOf } from './containers.js';
import { findShardRows, namesOfRow, parseShardName, type ShardRow } from './shardNames.js';
import type { CheckpointProblem } from './types.js';

/** What a path stands for. */
export interface Entry {
  /** A file of tensors or an index; of a row of shards the folder, or the first where that was asked for. */
  readonly path: string;
  /** Present where shards are known by their names alone. */
  readonly row?: ShardRow;
  /** The folder that was asked for, where one was. */
  readonly folder?: string;
  /** Files of weights in that folder that the choice is not made of, as far as names tell. */
  readonly others: readonly string[];
}

/** Names of a copy of the weights that is there for other programs: Mistral's own layout. */
const OTHER_COPY = 'consolidated';

/** What the weights of an adapter are called, and the file beside them that says what it is added to. */
const ADAPTER = { weights: 'adapter_model', config: 'adapter_config.json' };

/** What one may open in a folder: a file, or a row of shards. */
interface Candidate {
  readonly name: string;
  readonly row?: ShardRow;
}

/** The file that a path stands for: itself, or what a folder holds. @throws CheckpointError */
export async function findEntry(path: string, fileSystem: FileSystem): Promise<Entry> {
  const kind = await fileSystem.kind(path);
  if (kind === undefined) {
    throw new CheckpointError(path, '', 'FileNotFound', 'there is no such file or folder');
  }
  if (kind !== 'folder') return { path, row: rowBeganBy(fileSystem.split(path).name), others: [] };
  const names = (await fileSystem.list(path)).sort();
  const indexes = names.filter((name) => containerOf(name)?.isIndex === true);
  // Beside the files that a model was converted from, what it was converted to is a copy.
  const files =
    CONTAINERS.map((container) =>
      names.filter((name) => {
        const recognized = containerOf(name);
        return recognized?.container === container && !recognized.isIndex;
      }),
    ).find(({ length }) => length > 0) ?? [];
  const usual = CONTAINERS.flatMap(({ fileSuffix, indexSuffix }) => [
    ...(indexSuffix === undefined ? [] : [`model${indexSuffix}`]),
    `model${fileSuffix}`,
  ]);
  const named =
    usual.find((name) => names.includes(name)) ?? (indexes.length === 1 ? indexes[0] : undefined);
  const chosen =
    named === undefined && indexes.length === 0 ? choose(files, names) : named && { name: named };
  if (!chosen) {
    const candidates = [...indexes, ...listCandidates(files).map(({ name }) => name)];
    throw await undecided(path, candidates, names, fileSystem);
  }
  const { name, row } = chosen;
  const own = new Set(row ? namesOfRow(row) : [name]);
  const others = files.filter((file) => !own.has(file));
  return { path: row ? path : fileSystem.join(path, name), row, folder: path, others };
}

/** The row of shards that is opened by its first: such a one is not a model by itself, and no index names them. */
function rowBeganBy(name: string): ShardRow | undefined {
  if (!containerOf(name)?.container.joinShards) return undefined;
  const [row] = findShardRows([name]);
  return row && row.shard.count > 1 && row.shard.number === row.first ? row : undefined;
}

/** Says that a folder holds other weights than those that are opened. */
export function noteOthers(folder: string, others: readonly string[]): CheckpointProblem {
  const isCopy = others.every((name) => name.startsWith(OTHER_COPY));
  const [are, what] =
    others.length === 1
      ? ['is', isCopy ? ', another copy of the weights,' : '']
      : ['are', isCopy ? ', another copy of the weights,' : ''];
  const message = `${visible(folder)}: ${listQuoted(others)}${what} ${are} not part of this model and left out`;
  return { file: folder, message };
}

function listCandidates(files: readonly string[]): Candidate[] {
  const rows = findShardRows(files).filter(({ shard }) => shard.count > 1);
  const singles = files.filter((name) => (parseShardName(name)?.count ?? 1) === 1);
  return [...singles.map((name) => ({ name })), ...rows.map((row) => ({ name: row.label, row }))];
}

/** What is meant among files without an index; undefined where that is not clear. */
function choose(files: readonly string[], names: readonly string[]): Candidate | undefined {
  const all = listCandidates(files);
  const base = all.filter(({ name }) => !name.startsWith(OTHER_COPY));
  const copies = all.filter(({ name }) => name.startsWith(OTHER_COPY));
  const candidates = base.length > 0 ? base : copies.length > 0 ? copies : all;
  if (candidates.length === 1) return candidates[0];
  const models = candidates.filter(({ name }) => /^model[-_.]/.test(name));
  if (models.length === 1) return models[0];
  const adapters = candidates.filter(({ name }) => name.startsWith(ADAPTER.weights));
  if (models.length === 0 && adapters.length === 1 && names.includes(ADAPTER.config)) {
    return adapters[0];
  }
  // Of several rows, those that a new download or another way of cutting left behind have gaps.
  const whole = (models.length > 0 ? models : candidates).filter(
    ({ row }) => row && row.present === row.last - row.first + 1,
  );
  const rows = candidates.every(({ row }) => row);
  return rows && whole.length === 1 ? whole[0] : undefined;
}

async function undecided(
  folder: string,
  candidates: string[],
  names: string[],
  fileSystem: FileSystem,
): Promise<CheckpointError> {
  if (candidates.length > 0) {
    const detail = `the folder holds several checkpoints, name one of them: ${listQuoted(candidates)}`;
    return new CheckpointError(folder, '', 'AmbiguousFolder', detail);
  }
  const snapshots = await listSnapshots(folder, names, fileSystem);
  if (snapshots.length > 0) {
    const detail = `this is a model's folder in the Hugging Face cache, whose files are in its snapshots: open ${listQuoted(snapshots)}`;
    return new CheckpointError(folder, '', 'NoCheckpoint', detail);
  }
  const others = names.filter((name) => /\.(bin|pt|pth|ckpt|gguf|h5|npz|onnx)$/i.test(name));
  const found =
    others.length > 0 ? `; it holds weights in other formats: ${listQuoted(others)}` : '';
  const suffixes = CONTAINERS.map(({ fileSuffix }) => fileSuffix).join(' or ');
  const detail = `the folder holds no ${suffixes} file${found}`;
  return new CheckpointError(folder, '', 'NoCheckpoint', detail);
}

/** Paths of the snapshots of a model in the Hugging Face cache; none where it is another folder. */
async function listSnapshots(
  folder: string,
  names: readonly string[],
  fileSystem: FileSystem,
): Promise<string[]> {
  const inside = names.includes('snapshots') ? fileSystem.join(folder, 'snapshots') : folder;
  if (inside === folder && fileSystem.split(folder).name !== 'snapshots') return [];
  if ((await fileSystem.kind(inside)) !== 'folder') return [];
  const revisions = inside === folder ? names : (await fileSystem.list(inside)).sort();
  return revisions.map((revision) => fileSystem.join(inside, revision));
}
