import type { ByteSource } from './byteSource.js';
import type { ElementTypeName } from './elementTypes.js';
import type { SliceOptions, Steps } from './slices.js';

/** One tensor of a file and where its bytes lie. */
export interface StoredTensor {
  readonly name: string;
  /** Name of the file that holds it, relative to the checkpoint's folder. */
  readonly file: string;
  readonly dtype: ElementTypeName;
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
  /**
   * Present where the bytes are not simply the tensor's numbers: they are blocks of codes (element type U8
   * then, the last dimension in bytes), or its rows lie in another order.
   */
  readonly encoding?: StoredEncoding;
}

/** How a container stores a tensor whose bytes are not simply its numbers. A layout decodes it (`layouts/`). */
export interface StoredEncoding {
  /** The layout's identifier. */
  readonly layout: string;
  /** For people: "Q4_K". */
  readonly label: string;
  /** Name in the file, where the tensor's own is that of the model's definition. */
  readonly storedName: string;
  /** Of the decoded tensor, outermost first. */
  readonly shape: readonly number[];
  /** What else the layout must know. */
  readonly parameters: Readonly<Record<string, number | boolean | string>>;
}

/** What a file's header says, checked against the size of the file. */
export interface FileHeader {
  /** By offset; tensors at one offset (all but the last are empty) in header order. */
  readonly tensors: StoredTensor[];
  /** Free text about the file; an object without prototype, since its keys come from the file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Length of the header in bytes, without a length field in front of it. */
  readonly headerBytes: number;
  /**
   * Where the format says in its header what other checkpoints say in `config.json`: the same, in the same
   * fields. Contents come from the file and are unchecked.
   */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** What {@link Container.joinShards} makes the header of, once more; only that container understands it. */
  readonly unjoined?: unknown;
}

/** What an index of shards says. */
export interface ShardIndex {
  /** Names of the shards, in the order in which they are first named. */
  readonly shards: readonly string[];
  /** Shard of each tensor. */
  readonly weightMap: ReadonlyMap<string, string>;
}

/** The header of one of several files. */
export interface ShardHeader extends FileHeader {
  readonly fileName: string;
}

/** A file format that holds tensors. Each has a room of its own and a line in `checkpoint/containers.ts`. */
export interface Container {
  /** End of the names of its files, with the dot. */
  readonly fileSuffix: string;
  /** End of the names of indexes of shards, where the format has such; with the dot. */
  readonly indexSuffix?: string;
  /** Reads and checks a file's header; never weights. In slices. @throws CheckpointError */
  readHeader(source: ByteSource, fileName: string, options?: SliceOptions): Promise<FileHeader>;
  /**
   * Where headers may carry a tokenizer: the part of the file that has it, at most some 100 MB, which the
   * container's own reader understands (`model/text`); undefined for a file without one. @throws CheckpointError
   */
  readTokenizer?(
    source: ByteSource,
    fileName: string,
    options?: SliceOptions,
  ): Promise<Uint8Array | undefined>;
  /**
   * Where only the first of a model's shards says what the tensors of all are: their headers again, read with
   * that knowledge, in steps. Such a model is opened by its first shard. What its tools do not allow, such as
   * shards of two models, is thrown.
   * @param headers with their files' names, in order; the first shard's is first
   * @param count shards of the whole model by their names
   * @throws CheckpointError
   */
  joinShards?(headers: readonly ShardHeader[], count: number): Steps<FileHeader[]>;
  /** Reads an index of shards from all its bytes, in steps. @throws CheckpointError */
  readIndex?(bytes: Uint8Array, fileName: string): Steps<ShardIndex>;
}
