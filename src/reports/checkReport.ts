/** An error gives wrong numbers or stops loaders; a warning may; information is neither. */
export type Severity = 'error' | 'warning' | 'info';

/** What a check has found, in one line for people. */
export interface Fault {
  readonly severity: Severity;
  readonly file: string;
  /** Where it concerns one tensor: its name. */
  readonly tensor?: string;
  readonly message: string;
}

/** A fault, and which check found it. */
export interface Finding extends Fault {
  /** The check: "scale-not-finite". */
  readonly id: string;
  /** A public report of such a fault. */
  readonly source: string;
}

/** A finding as a page shows it: texts are bounded, and may be cut in their middle. */
export interface ShownFinding extends Finding {
  /** Name of the model's tensor that is meant, or that the tensor is a part of; absent where it has none. */
  readonly listedAs?: string;
}

/** What a check of a model has read. */
export interface Checked {
  readonly files: number;
  readonly tensors: number;
  /** Elements of all tensors. */
  readonly elements: number;
  readonly bytes: number;
  /** Kinds of fault that were looked for. */
  readonly checks: number;
}

/** What a check of a model has found, for a page. */
export interface CheckReport {
  /** Errors first; otherwise in the order in which they were found. */
  readonly findings: readonly ShownFinding[];
  readonly checked: Checked;
}
