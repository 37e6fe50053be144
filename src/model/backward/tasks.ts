import type { ScratchTask } from '../../compute/tasks.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { Attention, FeedForward } from '../forward/block.js';
import type { PlacedRotary } from '../forward/tasks.js';

/** A linear map without a bias, whose weights lie in memory. */
export interface GradedLinear {
  /** Address of f32 [outputs × inputs]. */
  readonly weights: number;
  /** Offset of its gradient, f32 [outputs × inputs], from a task's gradients in bytes; absent: none is wanted. */
  readonly gradient?: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** An RMS norm whose weight lies in memory. */
export interface GradedNorm {
  /** Address of f32 [columns]. */
  readonly weight: number;
  readonly weightOffset: number;
  readonly epsilon: number;
}

/** A block that can be taken back: norm, attention, sum, norm, gated feed-forward, sum. */
export interface GradedBlock {
  readonly attentionNorm: GradedNorm;
  readonly attention: Attention<GradedLinear, never>;
  readonly feedForwardNorm: GradedNorm;
  readonly feedForward: FeedForward<GradedLinear>;
}

/** Everything behind the embedding, in memory. */
export interface GradedModel {
  readonly hiddenSize: number;
  readonly blocks: readonly GradedBlock[];
  readonly finalNorm: GradedNorm;
  readonly head: GradedLinear;
}

/** A model whose distribution another is to have. */
export interface Teacher {
  /** What its head takes: [rows × hidden size], normed. Its head is that of the model. */
  readonly states: Matrix;
  /** Share of KL(model ‖ teacher) in the loss; the rest is KL(teacher ‖ model). */
  readonly gamma: number;
}

/** A window on its way through a model. */
export interface PassTask extends ScratchTask {
  readonly model: GradedModel;
  /** Embedded tokens of a window [rows × hidden size]; they stay as they are. */
  readonly embedded: Matrix;
  readonly rows: number;
  readonly rotary?: PlacedRotary;
  readonly localRotary?: PlacedRotary;
}

export interface LossTask extends PassTask {
  /** Token ids of the window: [rows]. */
  readonly ids: Int32Array;
  /** Absent: the loss is that of the tokens that come. */
  readonly teacher?: Teacher;
}

export interface GradientTask extends LossTask {
  /** Factor on the loss. */
  readonly factor: number;
  /** Address of the gradients, to which the window's are added. */
  readonly gradients: number;
}

export interface StatesTask extends PassTask {
  /** Receives what the head takes: [rows × hidden size]. */
  readonly target: Matrix;
}

export interface AddGradientsTask extends ScratchTask {
  /** Addresses of f32 [count]. */
  readonly source: number;
  readonly target: number;
  readonly count: number;
}

/** The way back of a forward pass, in a compute worker. */
export interface BackwardApi {
  /**
   * Adds the gradient of factor·Σ −log p(token | tokens before it) over a window; with a teacher, of factor·Σ of the
   * confidence-aware divergence over all its positions.
   * @returns that sum without the factor
   */
  addWindowGradient(task: GradientTask): Promise<number>;
  /** The same sum alone. */
  windowLoss(task: LossTask): Promise<number>;
  /** @returns Σ of the largest probability at each position */
  finalStates(task: StatesTask): Promise<number>;
  /** target += source. */
  addGradients(task: AddGradientsTask): Promise<void>;
}
