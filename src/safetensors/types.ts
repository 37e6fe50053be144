/** Element types a safetensors header may name, as the format's reference reader spells them. */
export type SafetensorsDtype =
  | 'BOOL'
  | 'F4'
  | 'F6_E2M3'
  | 'F6_E3M2'
  | 'U8'
  | 'I8'
  | 'F8_E5M2'
  | 'F8_E4M3'
  | 'F8_E8M0'
  | 'F8_E4M3FNUZ'
  | 'F8_E5M2FNUZ'
  | 'I16'
  | 'U16'
  | 'F16'
  | 'BF16'
  | 'I32'
  | 'U32'
  | 'F32'
  | 'C64'
  | 'F64'
  | 'I64'
  | 'U64';

/** One tensor of a checkpoint and where its bytes lie. */
export interface CheckpointTensor {
  readonly name: string;
  /** Name of the file that holds it, relative to the checkpoint's folder. */
  readonly file: string;
  readonly dtype: SafetensorsDtype;
  /** Dimensions, outermost first. Empty for a scalar. */
  readonly shape: readonly number[];
  /** The dimensions' digits, present only when one exceeds 2^53 (possible in zero-size tensors). */
  readonly exactShape?: readonly string[];
  /** First byte of the data, counted from the start of the file. */
  readonly offset: number;
  /** Length of the data in bytes. */
  readonly bytes: number;
  /** Number of elements (the product of the shape). */
  readonly elements: number;
}

/** One file of a checkpoint. */
export interface CheckpointFile {
  /** Name relative to the checkpoint's folder. */
  readonly name: string;
  /** Full path, or URI text when the file is not on a local disk. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Length of the JSON header in bytes, without its 8-byte length field. */
  readonly headerBytes: number;
}

/** Something that is wrong with a checkpoint but leaves the rest of it usable. */
export interface CheckpointProblem {
  readonly file: string;
  readonly message: string;
}

/** A checkpoint: one safetensors file, or all shards that an index names. Plain data. */
export interface Checkpoint {
  /** Path of what was opened: the file or the index. */
  readonly path: string;
  /** Folder of the files. */
  readonly folder: string;
  readonly files: readonly CheckpointFile[];
  /** In file order, within a file by offset. */
  readonly tensors: readonly CheckpointTensor[];
  /** `__metadata__` of the files, merged; a key that differs between shards is listed per file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Missing shards and the like (an index only). */
  readonly problems: readonly CheckpointProblem[];
  /** Whole files by name, where they are not on a local disk and had to be loaded. */
  readonly inMemory?: ReadonlyMap<string, SharedArrayBuffer>;
}
