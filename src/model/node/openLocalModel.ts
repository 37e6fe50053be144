import type { OpenedModel } from '../../checkpoint/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { localFileSystem } from '../../storage/node/localFileSystem.js';
import { openModel } from '../openModel.js';

/** Opens a model on the local disk, in slices. @throws CheckpointError */
export function openLocalModel(path: string, options?: CallOptions): Promise<OpenedModel> {
  return openModel(path, localFileSystem, options);
}
