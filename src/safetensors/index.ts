/** The safetensors file format: reading by range, shards, writing. Imports nothing of the project. */
export type * from './types.js';
export { CheckpointError, quoted, visible, type CheckpointRule } from './errors.js';
export { DTYPES, DTYPE_NAMES, isDtype, type DtypeInfo } from './dtypes.js';
export { memorySource, openFile, type ByteSource } from './byteSource.js';
export { nodeFileSystem, type CheckpointFileSystem } from './fileSystem.js';
export { parseHeader, type ParsedHeader } from './header.js';
export { openCheckpoint, openCheckpointFile } from './checkpoint.js';
export { readModelConfig, type ModelConfig } from './modelFolder.js';
export { type TensorEntry } from './layout.js';
export { writeAtomically, type Append, type WriteOptions } from './atomicFile.js';
export {
  writeSafetensors,
  writeShardIndex,
  type TensorSink,
  type WrittenFile,
  type WrittenShard,
} from './writer.js';
