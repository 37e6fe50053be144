import { formatForWidth } from '../../formats/index.js';
import { countRegionBytes } from '../../kernels/workspace.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { gradientScratchBytes } from '../backward/backwardPass.js';
import { placeModel, type PlacedModel } from '../backward/placeModel.js';
import type { BackwardApi, Teacher } from '../backward/tasks.js';
import { CalibrationWalk } from '../calibration/calibrationWalk.js';
import type { WalkRequest } from '../calibration/types.js';
import type { StateWindow } from '../evaluation/blockRunner.js';
import type { TrainingApi } from './tasks.js';
import type { TrainedWeights, TrainingCheck, TrainingRequest, TrainingState } from './types.js';
import { WindowOrder } from './windowOrder.js';

/** Windows that are taken back at once; results depend on it, not on threads. */
const LANES = 4;
/** Weights that a task rounds or moves. */
const TASK_WEIGHTS = 65_536;
/** As AdamW has them by default. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** A trained linear map. */
interface TrainedLinear {
  readonly name: string;
  /** Address of the weights that passes compute with. */
  readonly weights: number;
  /** Offset among the bytes of all trained weights. */
  readonly offset: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** The arrays of training in the pool's memory, and the steps over them. */
export class Trainer {
  private checks: TrainingCheck[] = [];
  private readonly order: WindowOrder;
  private readonly linears: readonly TrainedLinear[];
  /** Addresses of f32 [weights]. */
  private readonly masters: number;
  private readonly moments: readonly [number, number];
  private readonly lanes: readonly number[];
  private best: Float32Array;
  private taken = 0;

  private constructor(
    private readonly request: TrainingRequest,
    private readonly model: PlacedModel,
    private readonly windows: readonly StateWindow[],
    private readonly teacher: { readonly states: number; readonly gamma: number },
    private readonly options: CallOptions,
  ) {
    const { pool, settings } = request;
    const { bytes, offsets } = model;
    this.order = new WindowOrder(request.windows.length, settings.seed);
    this.linears = listTrained(model);
    const reserve = () => pool.reserve(bytes).start;
    this.masters = reserve();
    this.moments = [reserve(), reserve()];
    this.lanes = Array.from({ length: Math.min(LANES, settings.batch) }, reserve);
    for (const { weights, offset, outputs, inputs } of this.linears) {
      const stored = this.floats(weights, outputs * inputs);
      this.floats(this.masters + offset, outputs * inputs).set(stored);
    }
    for (const at of this.moments) this.all(at).fill(0);
    this.best = this.all(this.masters).slice();
    if (offsets.size === 0) throw new Error('No linear map of a block is to be trained');
    if (request.resume) this.restore(request.resume);
  }

  /** Brings the model into memory and has the unquantized one say what it makes of each window. */
  static async create(request: TrainingRequest, options: CallOptions): Promise<Trainer> {
    const { pool, model, windows, validation } = request;
    const { signal, onProgress } = options;
    const all: WalkRequest = { ...request, windows: [...windows, ...validation] };
    const walk = new CalibrationWalk(all, { signal }, 'none');
    const placed = await placeModel(walk, all);
    const { hiddenSize } = model.plan;
    const rows = walk.windows.reduce((sum, each) => sum + each.rows, 0);
    const states = pool.reserve(rows * hiddenSize * 4).start;
    onProgress?.({ done: 0, total: request.settings.steps, message: 'unquantized model' });
    const tasks = walk.windows.map((window) => ({
      ...passOf(placed, window, hiddenSize),
      target: { at: states + (window.hidden - walk.windows[0].hidden), stride: hiddenSize },
    }));
    let confidence = 0;
    const backward = pool.tasks<BackwardApi>();
    await backward.run('finalStates', tasks, (sum) => void (confidence += sum), signal);
    const teacher = { states, gamma: confidence / rows };
    return new Trainer(request, placed, walk.windows, teacher, options);
  }

  /** Steps taken. */
  get step(): number {
    return this.taken;
  }

  /** True where the windows held back are to be looked at before the next step. */
  get isCheckDue(): boolean {
    const { steps, checkEvery } = this.request.settings;
    const isTurn = this.taken % checkEvery === 0 || this.taken === steps;
    return isTurn && this.checks.at(-1)?.step !== this.taken;
  }

  /** One step of AdamW on the mean loss of a batch. */
  async advance(): Promise<void> {
    const { pool, settings } = this.request;
    const { signal } = this.options;
    await this.round();
    const batch = this.order.ofStep(this.taken, settings.batch);
    const positions = batch.reduce((sum, index) => sum + this.windows[index].rows, 0);
    for (const at of this.lanes) this.all(at).fill(0);
    const backward = pool.tasks<BackwardApi>();
    for (let first = 0; first < batch.length; first += this.lanes.length) {
      const together = batch.slice(first, first + this.lanes.length).map((index, lane) => ({
        ...this.lossOf(index),
        ...{ factor: 1 / positions, gradients: this.lanes[lane] },
      }));
      await backward.run('addWindowGradient', together, () => undefined, signal);
    }
    const [gradient, ...others] = this.lanes;
    const count = this.model.bytes / 4;
    for (const source of others) {
      const add = [{ source, target: gradient, count, scratchBytes: 0 }];
      await backward.run('addGradients', add, () => undefined, signal);
    }
    await this.moveWeights(gradient);
    this.taken++;
  }

  /** Mean loss on the windows held back; the best weights are kept. */
  async check(): Promise<TrainingCheck> {
    const { pool, windows } = this.request;
    await this.round();
    const held = this.windows.slice(windows.length);
    const tasks = held.map(({ index }) => this.lossOf(index));
    let sum = 0;
    const { signal } = this.options;
    await pool.tasks<BackwardApi>().run('windowLoss', tasks, (loss) => void (sum += loss), signal);
    const check = { step: this.taken, loss: sum / held.reduce((all, { rows }) => all + rows, 0) };
    if (!(bestOf(this.checks)?.loss <= check.loss)) this.best = this.all(this.masters).slice();
    this.checks.push(check);
    return check;
  }

  state(): TrainingState {
    const [first, second] = this.moments.map((at) => this.all(at).slice());
    const weights = this.all(this.masters).slice();
    return { step: this.taken, weights, first, second, best: this.best, checks: [...this.checks] };
  }

  async finish(): Promise<TrainedWeights> {
    this.all(this.masters).set(this.best);
    await this.round();
    const ofWeights = new Map(
      this.linears.map(({ name, weights, outputs, inputs }) => [
        name,
        this.floats(weights, outputs * inputs).slice(),
      ]),
    );
    const { checks, teacher } = this;
    return { ofWeights, checks, best: bestOf(checks), gamma: teacher.gamma };
  }

  private restore({ step, weights, first, second, best, checks }: TrainingState): void {
    const count = this.model.bytes / 4;
    if ([weights, first, second, best].some(({ length }) => length !== count)) {
      throw new Error('The state of training is that of a model with other weights');
    }
    this.all(this.masters).set(weights);
    this.all(this.moments[0]).set(first);
    this.all(this.moments[1]).set(second);
    this.best = best.slice();
    this.checks = [...checks];
    this.taken = step;
  }

  /** What passes compute with: the weights in the format. */
  private async round(): Promise<void> {
    const { pool, format, scaleDtype } = this.request;
    const tasks = this.linears.flatMap(({ weights, offset, outputs, inputs }) => {
      const ofWidth = formatForWidth(format, inputs).id;
      const most = Math.max(1, Math.floor(TASK_WEIGHTS / inputs));
      return runs(outputs, most).map(({ first, count }) => ({
        source: this.masters + offset + first * inputs * 4,
        target: weights + first * inputs * 4,
        ...{ rows: count, inputs, format: ofWidth, scaleDtype },
        scratchBytes: countRegionBytes(count * inputs),
      }));
    });
    const { signal } = this.options;
    await pool.tasks<TrainingApi>().run('roundWeights', tasks, () => undefined, signal);
  }

  private async moveWeights(gradient: number): Promise<void> {
    const { pool, settings } = this.request;
    const time = this.taken + 1;
    const corrections = {
      correction1: 1 - ADAM.beta1 ** time,
      correction2: 1 - ADAM.beta2 ** time,
    };
    const { rate, decay } = settings;
    const tasks = runs(this.model.bytes / 4, TASK_WEIGHTS).map(({ first, count }) => ({
      step: {
        ...{ ...ADAM, ...corrections, rate, decay, count },
        weights: this.masters + first * 4,
        gradient: gradient + first * 4,
        first: this.moments[0] + first * 4,
        second: this.moments[1] + first * 4,
      },
      scratchBytes: 0,
    }));
    // A step that is cut short would be half a step: it takes milliseconds.
    await pool.tasks<TrainingApi>().run('adamStep', tasks, () => undefined);
  }

  private lossOf(index: number) {
    const { windows, validation, model } = this.request;
    const { hiddenSize } = model.plan;
    const window = this.windows[index];
    const at = this.teacher.states + (window.hidden - this.windows[0].hidden);
    const teacher: Teacher = { states: { at, stride: hiddenSize }, gamma: this.teacher.gamma };
    const ids = windows[index] ?? validation[index - windows.length];
    return { ...passOf(this.model, window, hiddenSize), ids, teacher };
  }

  private all(at: number): Float32Array {
    return this.floats(at, this.model.bytes / 4);
  }

  private floats(at: number, count: number): Float32Array {
    return new Float32Array(this.request.pool.memory.buffer, at, count);
  }
}

function passOf({ placed }: PlacedModel, window: StateWindow, hiddenSize: number) {
  const { hidden, rows, rotary, localRotary } = window;
  const embedded = { at: hidden, stride: hiddenSize };
  const scratchBytes = gradientScratchBytes(placed, rows);
  return { model: placed, embedded, rows, rotary, localRotary, scratchBytes };
}

function listTrained({ placed, offsets }: PlacedModel): TrainedLinear[] {
  const names = new Map([...offsets].map(([{ weight }, offset]) => [offset, weight]));
  return placed.blocks
    .flatMap(({ attention, feedForward }) => [
      ...[...attention.projections, attention.output],
      ...[...feedForward.projections, feedForward.down],
    ])
    .flatMap(({ gradient: offset, weights, outputs, inputs }) =>
      offset === undefined ? [] : [{ name: names.get(offset)!, weights, offset, outputs, inputs }],
    );
}

function bestOf(checks: readonly TrainingCheck[]): TrainingCheck {
  return checks.reduce((best, each) => (best.loss <= each.loss ? best : each), checks[0]);
}

/** Runs of so many items at most. */
function runs(total: number, most: number): { readonly first: number; readonly count: number }[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, index) => {
    const first = index * most;
    return { first, count: Math.min(most, total - first) };
  });
}
