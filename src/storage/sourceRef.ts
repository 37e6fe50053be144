import type { ElementTypeName } from './elementTypes.js';

/**
 * Where any thread finds the bytes of a file: plain data that can be sent to it. The scheme of the URI
 * chooses how it is read (`storage/node/openSource.ts`).
 */
export type SourceRef =
  | {
      readonly kind: 'uri';
      /** For messages. */
      readonly name: string;
      readonly uri: string;
      /** Size in bytes when the file's header was read. */
      readonly sizeBytes: number;
      /** Tells the file as it was then from any later state; the file system's `version` of it. */
      readonly version: string;
    }
  | { readonly kind: 'memory'; readonly name: string; readonly bytes: SharedArrayBuffer }
  /** The memory of the device that runs a task; offsets are its addresses. */
  | { readonly kind: 'device'; readonly name: string }
  /** A source that the side which sent the task reads, by the key that it has there. */
  | { readonly kind: 'host'; readonly name: string; readonly key: number }
  | {
      /** Weights as F32, decoded while they are read from the parts in which they are stored. */
      readonly kind: 'decoded';
      /** For messages. */
      readonly name: string;
      readonly weight: StoredWeight;
    };

/** A part of a weight: codes, scales, zero points and the like. */
export interface StoredPart {
  readonly source: SourceRef;
  /** First byte in the file. */
  readonly offset: number;
  readonly dtype: ElementTypeName;
  readonly shape: readonly number[];
}

/** A weight that is stored in parts. Plain data; what it means is said by a layout (`layouts/`). */
export interface StoredWeight {
  /** The layout's identifier: "gptq". */
  readonly layout: string;
  /** Name of the weight that it is, for messages. */
  readonly tensor: string;
  /** Of the decoded weight: outputs first, inputs last. */
  readonly shape: readonly number[];
  /** By what they are for: "codes", "scales". */
  readonly parts: Readonly<Record<string, StoredPart>>;
  /** What the parts do not say themselves: bits, group size. */
  readonly parameters: Readonly<Record<string, number | boolean | string>>;
}
