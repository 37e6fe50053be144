import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import type { Examined } from '../../compute/examine.js';
import type { QuantizationConfig } from '../../layouts/layout.js';
import type { Fault } from '../../reports/checkReport.js';
import type { StoredTensor } from '../../storage/container.js';
import type { StoredPart } from '../../storage/sourceRef.js';

export type { Fault, Finding, Severity } from '../../reports/checkReport.js';

/** One thing that can be wrong with a checkpoint. A new one: an entry of a file in `checks/`. */
export interface Check {
  readonly id: string;
  /** A public report of such a fault. */
  readonly source: string;
  /** @throws CheckpointError where a part cannot be read */
  find(subject: CheckSubject): Iterable<Fault> | AsyncIterable<Fault>;
}

/** A tensor of the model, and what was found by reading it. */
export interface CheckedTensor {
  readonly tensor: ModelTensor;
  /** Absent where it has no elements or could not be read. */
  readonly examined?: Examined;
  /** Why it could not be read, in one line. */
  readonly unreadable?: string;
}

/** A part of a quantized weight. */
export interface CheckedPart extends StoredPart {
  readonly name: string;
  readonly file: string;
  /** Present for scales, indices of groups and whatever else checks ask for, see `EXAMINED_ROLES`. */
  readonly examined?: Examined;
}

/** A weight that is stored in parts. */
export interface CheckedWeight {
  readonly tensor: ModelTensor;
  /** Identifier of its layout: "gptq". */
  readonly layout: string;
  /** Name of its module: that of the weight without ".weight". */
  readonly module: string;
  readonly parameters: Readonly<Record<string, number | boolean | string>>;
  /** By role, see the layout. */
  readonly parts: ReadonlyMap<string, CheckedPart>;
}

/** A tensor as a file has it, whether or not it is part of something else. */
export type StoredName = Pick<StoredTensor, 'name' | 'dtype' | 'shape'> & {
  readonly file: string;
};

/** What checks look at: everything that was found by reading the checkpoint once. */
export interface CheckSubject {
  readonly model: OpenedModel;
  /** What the configuration says of quantization; {} where it says nothing. */
  readonly quantization: QuantizationConfig;
  readonly tensors: readonly CheckedTensor[];
  readonly weights: readonly CheckedWeight[];
  /** All tensors of the files by name, parts too. */
  readonly stored: ReadonlyMap<string, StoredName>;
  /** Bytes of a part or a tensor, aligned. @throws CheckpointError */
  read(part: StoredPart, first: number, length: number): Promise<Uint8Array>;
}
