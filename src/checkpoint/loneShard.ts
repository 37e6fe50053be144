import type { Container } from '../storage/container.js';
import { visible } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { nameShard, parseShardName } from './shardNames.js';
import type { Checkpoint } from './types.js';

/** A shard that is opened by itself. */
type LoneShard = Required<Pick<Checkpoint, 'loneShard'>> & Pick<Checkpoint, 'wholeModel'>;

/**
 * Says of a file that is one shard of several which it is, and what to open instead of it.
 * @returns undefined where it is none, by its name
 */
export async function findWholeOf(
  folder: string,
  name: string,
  container: Container,
  fileSystem: FileSystem,
): Promise<LoneShard | undefined> {
  const shard = parseShardName(name);
  if (!shard || shard.count < 2) return undefined;
  // Some tools count from 0.
  const zeroth = fileSystem.join(folder, nameShard(shard, 0));
  const fromZero = shard.number === 0 || (await fileSystem.kind(zeroth)) !== undefined;
  const first = fileSystem.join(folder, nameShard(shard, fromZero ? 0 : 1));
  const opensAll = container.joinShards && (await fileSystem.kind(first)) === 'file';
  const wholeModel = opensAll
    ? first
    : await findIndex(folder, shard.before, container, fileSystem);
  const number = shard.number + (fromZero ? 1 : 0);
  const loneShard =
    `${visible(name)}: this is shard ${number} of ${shard.count}, and not the whole model · ` +
    `open the whole model: ${visible(wholeModel ?? folder)}`;
  return { loneShard, ...(wholeModel !== undefined && { wholeModel }) };
}

/** Path of the index beside a shard whose name begins with `before`. */
async function findIndex(
  folder: string,
  before: string,
  { indexSuffix, fileSuffix }: Container,
  fileSystem: FileSystem,
): Promise<string | undefined> {
  if (indexSuffix === undefined) return undefined;
  const stem = before.replace(/[-_.]$/, '').replace(fileSuffix, '');
  for (const each of [stem, 'model']) {
    const index = fileSystem.join(folder, each + indexSuffix);
    if ((await fileSystem.kind(index)) === 'file') return index;
  }
  return undefined;
}
