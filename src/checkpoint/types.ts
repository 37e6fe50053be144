import type { StoredTensor } from '../storage/container.js';
import type { FileSystem } from '../storage/fileSystem.js';
import type { InputStates } from '../storage/inputs.js';
import type { SourceRef } from '../storage/sourceRef.js';

/** One file of a checkpoint. */
export interface CheckpointFile {
  /** Name relative to the checkpoint's folder. */
  readonly name: string;
  /** Full path, or URI text when the file is not on a local disk. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Length of the header in bytes, without a length field in front of it. */
  readonly headerBytes: number;
  /** How any thread opens the file. */
  readonly source: SourceRef;
}

/** Something that is wrong with a checkpoint but leaves the rest of it usable. */
export interface CheckpointProblem {
  readonly file: string;
  readonly message: string;
}

/** A checkpoint as its files say, whatever their format: one file, or all shards of an index. */
export interface Checkpoint<Tensor extends StoredTensor = StoredTensor> {
  /** Path of what was opened: the file or the index. */
  readonly path: string;
  /** Folder of the files. */
  readonly folder: string;
  /** Where its files are read from. */
  readonly fileSystem: FileSystem;
  readonly files: readonly CheckpointFile[];
  /** In file order, within a file by offset. */
  readonly tensors: readonly Tensor[];
  /** Metadata of the files, merged; a key that differs between shards is listed per file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Missing shards and the like: what they cost it, `absent` says. */
  readonly problems: readonly CheckpointProblem[];
  /**
   * Names of the tensors that belong to it and are not there. Undefined where nothing names them: shards
   * are missing of which there is no index.
   */
  readonly absent: ReadonlySet<string> | undefined;
  /** What to know of files all of whose tensors are there. */
  readonly notes: readonly CheckpointProblem[];
  /** Present where one shard of several was opened by itself: how to say so. */
  readonly loneShard?: string;
  /** Path of what opens the whole model, where that is there: the index, or the first shard. */
  readonly wholeModel?: string;
  /** What a file says in its header of what others say in `config.json`. Contents are unchecked. */
  readonly configuration?: Readonly<Record<string, unknown>>;
}

/** A checkpoint that was just opened: its list of tensors is the caller's, who may use it up. */
export type FreshCheckpoint = Checkpoint & { readonly tensors: StoredTensor[] };

/** What a tensor is for, as far as its name says; weights of linear layers are among the others. */
export type TensorRole = 'embedding' | 'head' | 'norm' | 'bias' | 'other';

/** How a weight is stored that is one tensor to the model and several in its file. */
export interface WeightStorage {
  /** For people: "GPTQ 4-bit g128". */
  readonly label: string;
  /** The tensors it is read from, the codes first. */
  readonly parts: readonly Pick<StoredTensor, 'name' | 'dtype' | 'shape' | 'bytes'>[];
}

/** Of which weight a tensor is a part, where that cannot be decoded. */
export interface PartOfWeight {
  /** The name that architectures have for it. */
  readonly weight: string;
  /** How the weight is stored, for people: "EXL2". */
  readonly label: string;
}

/** A tensor of an opened model: what its file says of it, and what the model does. */
export interface ModelTensor extends StoredTensor {
  /** How any thread opens the file that holds its bytes. */
  readonly source: SourceRef;
  /**
   * Present where its weights are decoded from several tensors. Element type, offset and source are then those
   * of the decoded weights (F32), while `bytes` counts what the parts take in the file.
   */
  readonly storage?: WeightStorage;
  /** Present where it is a part of a weight that cannot be decoded: its elements are no weights then. */
  readonly partOf?: PartOfWeight;
  /** Layer it belongs to ("layers.0"), or "" for tensors outside the repeated blocks. */
  readonly layer: string;
  /** Name within its layer ("mlp.down_proj.weight"). */
  readonly nameInLayer: string;
  /**
   * Stored as [inputs × outputs], so that groups, which run along the inputs, run down its columns; of experts in
   * one tensor each.
   */
  readonly transposed: boolean;
  /**
   * Outputs and inputs where they are not two dimensions of `shape` in one of their orders: of convolutions
   * [out × in·kh·kw], of transposed experts [experts × outputs × inputs].
   */
  readonly matrixShape?: readonly number[];
  readonly role: TensorRole;
  /** True for what quantizers touch unless told otherwise: weights of linear layers. */
  readonly quantizedByDefault: boolean;
  /** Why quantizers leave it alone by default ("an embedding"), or cannot quantize it at all. */
  readonly notByDefault?: string;
  /** Why it cannot be quantized at all, when it cannot ("one-dimensional"). */
  readonly notQuantizable?: string;
}

/**
 * An opened model: everything that is known before any weight is read. Made once
 * (`model/openModel.ts`) and handed to every job, so that no two of them can disagree.
 */
export interface OpenedModel extends Checkpoint<ModelTensor> {
  /**
   * The object that `config.json` holds, or what the file's header says in its place; absent where there is
   * neither. Its contents are unchecked.
   */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Why `config.json` could not be read, in one line that names the file. */
  readonly configProblem?: string;
  /** What was looked at to open it, and as what it was found. */
  readonly inputs: InputStates;
  /** What a reader of any number of this model must know; its `configProblem` among it. */
  readonly notes: readonly CheckpointProblem[];
  /** What its weights are decoded from, a line for each kind: "14 weights are decoded from FP8 E4M3, …". */
  readonly decodedFrom: readonly string[];
  /** Present where it is no model but an addition to one: how to say so. */
  readonly adapter?: string;
  /** Why weights that architectures ask for are not among the tensors, by name. */
  readonly undecodable: ReadonlyMap<string, string>;
}

/** An opened model as plain data, which can be sent to another thread. */
export type OpenedModelData = Omit<OpenedModel, 'fileSystem'>;

/** Bytes of a tensor's weights as its source gives them. */
export function countSourceBytes({ storage, bytes, elements }: ModelTensor): number {
  return storage ? elements * 4 : bytes;
}

/** The plain data of a model. */
export function detachModel({ fileSystem: _, ...data }: OpenedModel): OpenedModelData {
  return data;
}
