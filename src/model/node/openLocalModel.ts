import type { OpenedModel } from '../../checkpoint/types.js';
import { localFileSystem } from '../../storage/node/localFileSystem.js';
import { openModel } from '../openModel.js';

/** Opens a model on the local disk. @throws CheckpointError */
export function openLocalModel(path: string): Promise<OpenedModel> {
  return openModel(path, localFileSystem);
}
