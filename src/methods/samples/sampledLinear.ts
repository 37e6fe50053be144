import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { Run } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { CallOptions, Methods } from '../../rpc/rpc.js';
import type { CalibratedLinear } from '../types.js';
import { align, sampleBytes, sampleScratchBytes, TASK_ROWS } from './sizes.js';
import type {
  OutputRowsTask,
  PackSamplesTask,
  SampleApi,
  SampleRounding,
  Samples,
} from './tasks.js';

export interface SampledSetup {
  readonly machine: TaskMachine;
  readonly linear: CalibratedLinear;
  readonly samples: Samples;
  /** Address of room, of `sampleRoomBytes`. */
  readonly room: number;
  readonly call: CallOptions;
}

/** What is the same in all tasks over a linear map's outputs, and is filled in here. */
type Shared = keyof OutputRowsTask;

/** A linear map over sampled rows of what it takes: what it comes to, and what other weights and inputs make of that. */
export class SampledLinear {
  /** What it comes to unquantized: f32 [samples × outputs]. */
  readonly target: Matrix;
  /** Address of samples, packed by {@link pack}. */
  readonly packedSamples: number;
  /** Address for quantized weights, packed. */
  readonly packedWeights: number;

  constructor(private readonly setup: SampledSetup) {
    const { linear, samples, room } = setup;
    this.target = { at: align(room), stride: linear.outputs };
    this.packedSamples = align(this.target.at + sampleBytes(samples.rows, linear.outputs));
    this.packedWeights = align(this.packedSamples + sampleBytes(samples.rows, samples.inputs));
  }

  /** Computes {@link target} from the weights as they are. */
  async findTarget(): Promise<void> {
    await this.pack(undefined, 'inputs');
    const task = { packed: this.packedSamples, target: this.target };
    await this.runRows<SampleApi, 'floatOutputs'>('floatOutputs', task, this.scratchBytes);
  }

  /** Rounds samples and packs them, as one side of a product. */
  pack(rounding: SampleRounding | undefined, side: PackSamplesTask['side']): Promise<void> {
    const { samples } = this.setup;
    const task = { samples, rounding, side, packed: this.packedSamples };
    return this.run<SampleApi, 'packSamples'>('packSamples', [
      { ...task, scratchBytes: this.scratchBytes },
    ]);
  }

  /** Mean squared errors of the outputs with {@link packedWeights}, and inputs rounded in several ways. */
  async losses(roundings: readonly (SampleRounding | undefined)[]): Promise<number[]> {
    const { samples, linear } = this.setup;
    const { outputs } = linear;
    const { target, scratchBytes, packedWeights: weights } = this;
    const shared = { samples, weights, outputs, target, scratchBytes };
    const tasks = roundings.map((rounding) => ({ ...shared, rounding }));
    const losses: number[] = [];
    await this.run<SampleApi, 'sampleLoss'>('sampleLoss', tasks, (loss) => {
      losses.push(loss / samples.rows / outputs);
    });
    return losses;
  }

  /** A task for each run of outputs. Results do not depend on how many there are. */
  runRows<Api extends Methods<Api>, Name extends keyof Api & string>(
    method: Name,
    more: Omit<TaskOf<Api, Name>, Shared>,
    scratchBytes: number,
    onResult?: (result: Awaited<ReturnType<Api[Name]>>) => void,
  ): Promise<void> {
    const { linear, samples } = this.setup;
    const { weights, outputs } = linear;
    const tasks = Array.from({ length: Math.ceil(outputs / TASK_ROWS) }, (_, index) => {
      const first = index * TASK_ROWS;
      const run: Run = { first, end: Math.min(first + TASK_ROWS, outputs) };
      return { ...more, samples, weights, run, scratchBytes } as unknown as TaskOf<Api, Name>;
    });
    return this.run(method, tasks, onResult);
  }

  get scratchBytes(): number {
    const { rows, inputs } = this.setup.samples;
    return sampleScratchBytes(rows, inputs);
  }

  private run<Api extends Methods<Api>, Name extends keyof Api & string>(
    method: Name,
    tasks: readonly TaskOf<Api, Name>[],
    onResult: (result: Awaited<ReturnType<Api[Name]>>) => void = () => undefined,
  ): Promise<void> {
    const { machine, call } = this.setup;
    return machine.tasks<Api>().run(method, tasks, onResult, call.signal);
  }
}
