/** A look at the windows that were held back. */
export interface ReportedCheck {
  /** Steps taken before it; 0: weights rounded to nearest. */
  readonly step: number;
  /** Mean confidence-aware divergence from the unquantized model, nats per token. */
  readonly loss: number;
}

/** What `train --json` prints. */
export interface TrainingReport {
  /** Files written. */
  readonly outputs: readonly string[];
  /** Canonical name. */
  readonly format: string;
  /** What was trained on. */
  readonly text: string;
  /** Of it: windows that were trained on and held back, and the most tokens of one. */
  readonly windows: number;
  readonly heldBack: number;
  readonly context: number;
  readonly settings: Readonly<Record<string, number>>;
  /** Share of KL(student ‖ teacher) in the loss. */
  readonly gamma: number;
  readonly checks: readonly ReportedCheck[];
  /** Whose weights were written. */
  readonly best: ReportedCheck;
  /** Steps that an earlier run had taken. */
  readonly resumedAt: number;
  readonly tensors: number;
  readonly weights: number;
  readonly seconds: number;
  /** What a reader must know. */
  readonly notes: readonly string[];
}
