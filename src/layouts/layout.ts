import type { StoredTensor } from '../storage/container.js';
import type { ElementTypeName } from '../storage/elementTypes.js';
import type { StoredWeight } from '../storage/sourceRef.js';
import type { PartReader } from './partReader.js';

/** A weight that a layout has found among the tensors of a checkpoint. */
export interface FoundWeight {
  /** Name of the weight as architectures know it: "model.layers.0.self_attn.q_proj.weight". */
  readonly name: string;
  /** Of the decoded weight: outputs first, inputs last. */
  readonly shape: readonly number[];
  /** Its tensors by what they are for; the first holds the codes. */
  readonly parts: Readonly<Record<string, StoredTensor>>;
  readonly parameters: StoredWeight['parameters'];
  /** For people: "GPTQ 4-bit g128". */
  readonly label: string;
  /** Why it cannot be decoded although the layout is known; absent where it can. */
  readonly refusal?: string;
  /** What to know of its numbers, such as an activation scale that is left out. */
  readonly notes?: readonly string[];
}

/** What a layout looks at to find weights. */
export interface LayoutContext {
  /** A tensor by its full name. */
  readonly find: (name: string) => StoredTensor | undefined;
  /** Bytes of a small tensor that says what others hold, such as their shape. @throws CheckpointError */
  readonly read: (tensor: StoredTensor) => Promise<Uint8Array>;
  /** What the checkpoint's configuration says of quantization; unchecked, {} where it says nothing. */
  readonly quantization: QuantizationConfig;
}

/** `quantization_config` of `config.json` and its relatives. Contents come from files and are unchecked. */
export type QuantizationConfig = Readonly<Record<string, unknown>>;

/** Decodes rows of one weight. */
export interface RowDecoder {
  /**
   * @param firstRow row of the decoded matrix; all dimensions but the last are rows
   * @param target f32 [rows × columns]
   */
  decode(firstRow: number, rows: number, target: Float32Array): Promise<void>;
}

/**
 * One way in which a linear weight is stored. A layout's file holds all that is known of it: how weights
 * are found, and what their parts mean.
 */
export interface Layout {
  readonly id: string;
  /** By what tensors its codes are known; absent where the container says so of each tensor (`encoding`). */
  readonly codes?: {
    /** Their element types; absent where the layout looks at them itself. */
    readonly types?: readonly ElementTypeName[];
    /** What names of codes, or of what describes them, end in: the first that fits. */
    readonly endsIn: readonly string[];
  };
  /** Element types that parts may have, by role; what is not listed may have any. */
  readonly partTypes?: Readonly<Record<string, readonly ElementTypeName[]>>;
  /**
   * The weight whose codes this tensor holds or describes, if it is stored this way. What contradicts
   * itself is found with a refusal.
   * @param module the tensor's name without the end it is known by; the whole name where there is none
   * @throws CheckpointError where a small tensor cannot be read
   */
  find(
    codes: StoredTensor,
    context: LayoutContext,
    module: string,
  ): FoundWeight | undefined | Promise<FoundWeight | undefined>;
  /** Prepares decoding. @throws CheckpointError where parts cannot be read */
  open(weight: StoredWeight, parts: PartReader): Promise<RowDecoder>;
}
