import { LOGIT_COLUMNS, scoreScratchBytes } from '../forward/scratch.js';
import type { ResultOf, TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import { PANEL_ROWS, SCORE, countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import type { ForwardApi, PlacedEnd, PlacedLinear } from '../forward/tasks.js';
import type { ModelPlan } from '../config/plan.js';
import type { TensorChange, WindowScore } from './types.js';
import type { WeightStore } from './weightStore.js';

/** Inputs of the head that a task keeps for each row of a tile, for all models together. */
const INPUT_BYTES = 32 << 10;
const MIN_TILE_ROWS = 8;
/** Logits that a task sends back at once. */
const LOGIT_BYTES = 16 << 20;

/** One model's last hidden states. */
export interface FinalState {
  readonly hidden: number;
  /** How the head's weight is changed; absent: as stored. */
  readonly headChange?: TensorChange;
  /** Address of the head's bias, 0: none. */
  readonly headBias: number;
  readonly end: PlacedEnd;
}

export interface ScorerSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly weights: WeightStore;
  /** Where pieces of the head go; its content is lost. */
  readonly area: MemoryRegion;
  /** Rows of one model that are scored together, at most. */
  readonly maxRows: number;
  /** Models that are scored together, at most. */
  readonly maxModels: number;
  readonly signal?: AbortSignal;
}

/** Turns last hidden states into scores, a piece of the vocabulary at a time. */
export class Scorer {
  private readonly pool: TaskMachine;
  private readonly plan: ModelPlan;
  private readonly weights: WeightStore;
  private readonly area: MemoryRegion;
  private readonly signal?: AbortSignal;
  private readonly targets: number;
  private readonly sums: number;

  constructor({ pool, plan, weights, area, maxRows, maxModels, signal }: ScorerSetup) {
    this.pool = pool;
    this.plan = plan;
    this.weights = weights;
    this.area = area;
    this.signal = signal;
    this.targets = pool.reserve(maxRows * 4).start;
    this.sums = pool.reserve(maxRows * maxModels * SCORE.length * 8).start;
  }

  /**
   * Scores windows.
   * @param states the unquantized model's first
   * @param windows token ids; their rows follow one another in every state
   * @param onRows called with numbers of rows times models times the share of the vocabulary
   * @returns one list per state, one score per window
   */
  async score(
    states: readonly FinalState[],
    windows: readonly Int32Array[],
    onRows: (rows: number) => void,
  ): Promise<WindowScore[][]> {
    const rows = this.setTargets(windows);
    const sumBytes = rows * SCORE.length * 8;
    const sumsOf = (model: number) => this.sums + model * sumBytes;
    await this.run('startScores', [
      { sums: this.sums, rows: states.length * rows, scratchBytes: 0 },
    ]);
    const tileRows = this.tileRows(rows, states.length);
    for await (const piece of this.pieces(states)) {
      const tasks: TaskOf<ForwardApi, 'score'>[] = [];
      for (let first = 0; first < rows; first += tileRows) {
        const count = Math.min(tileRows, rows - first);
        tasks.push({
          rows: count,
          hiddenSize: this.plan.hiddenSize,
          headInputs: this.plan.head.inputs,
          targets: this.targets + first * 4,
          firstToken: piece.firstToken,
          models: states.map(({ hidden, end }, model) => ({
            hidden: this.rowsOf(hidden, first),
            end,
            head: piece.heads[model],
            sums: sumsOf(model) + first * SCORE.length * 8,
          })),
          scratchBytes: this.scratchBytes(count, states.length),
        });
      }
      const share = piece.heads[0].outputs / this.plan.vocabularySize;
      const onTask = (_: unknown, index: number) =>
        onRows(tasks[index].rows * states.length * share);
      await this.pool.tasks<ForwardApi>().run('score', tasks, onTask, this.signal);
    }
    return this.readScores(states.length, windows, rows);
  }

  /** @returns what the last task gives */
  private async run<Name extends 'startScores' | 'readScores'>(
    method: Name,
    tasks: readonly TaskOf<ForwardApi, Name>[],
  ): Promise<ResultOf<ForwardApi, Name>> {
    let last: ResultOf<ForwardApi, Name>;
    const onResult = (result: ResultOf<ForwardApi, Name>) => void (last = result);
    await this.pool.tasks<ForwardApi>().run(method, tasks, onResult, this.signal);
    return last!;
  }

  /** Logits of one model's windows: f32 [rows × vocabulary] each. */
  async logits(
    state: FinalState,
    windows: readonly Int32Array[],
    onWindow: (index: number, logits: Float32Array) => Promise<void>,
  ): Promise<void> {
    const { vocabularySize, hiddenSize, head } = this.plan;
    const { hidden, end } = state;
    let before = 0;
    for (const [index, { length }] of windows.entries()) {
      const result = new Float32Array(length * vocabularySize);
      for await (const piece of this.pieces([state])) {
        const [placed] = piece.heads;
        const tileRows = Math.max(1, Math.floor(LOGIT_BYTES / placed.outputs / 4));
        const tasks: TaskOf<ForwardApi, 'logits'>[] = [];
        for (let first = 0; first < length; first += tileRows) {
          const rows = Math.min(tileRows, length - first);
          tasks.push({
            end,
            rows,
            hiddenSize,
            headInputs: head.inputs,
            hidden: this.rowsOf(hidden, before + first),
            head: placed,
            scratchBytes: this.scratchBytes(rows, 1) + rows * placed.outputs * 4,
          });
        }
        await this.pool.tasks<ForwardApi>().run(
          'logits',
          tasks,
          (logits, task) => {
            for (let row = 0; row < tasks[task].rows; row++) {
              const from = row * placed.outputs;
              result.set(
                logits.subarray(from, from + placed.outputs),
                (task * tileRows + row) * vocabularySize + piece.firstToken,
              );
            }
          },
          this.signal,
        );
      }
      await onWindow(index, result);
      before += length;
    }
  }

  /** Packs the head piece by piece, once for each way in which it occurs. */
  private async *pieces(
    states: readonly FinalState[],
  ): AsyncGenerator<{ firstToken: number; heads: PlacedLinear[] }> {
    const { head } = this.plan;
    const keyOf = ({ headChange }: FinalState) => this.weights.keys.of(headChange);
    const distinct = new Map(states.map((state) => [keyOf(state), state.headChange]));
    const fitting = Math.floor(this.area.bytes / distinct.size / (head.inputs * 4));
    // Sums go by runs of columns: where pieces end must not change where runs do.
    const step = fitting >= LOGIT_COLUMNS ? LOGIT_COLUMNS : PANEL_ROWS;
    const pieceRows = Math.min(
      Math.floor(fitting / step) * step,
      Math.ceil(head.outputs / PANEL_ROWS) * PANEL_ROWS,
    );
    const bytes = countPackedWeightBytes(pieceRows, head.inputs);
    const keys = [...distinct.keys()];
    const addressOf = (key: string) => this.area.start + keys.indexOf(key) * bytes;
    for (let firstToken = 0; firstToken < head.outputs; firstToken += pieceRows) {
      const rows = Math.min(pieceRows, head.outputs - firstToken);
      await this.weights.pack(
        [...distinct].map(([key, change]) => ({
          linear: head,
          change,
          at: addressOf(key),
          firstRow: firstToken,
          rows,
        })),
      );
      const heads = states.map((state) => {
        const bias = state.headBias === 0 ? 0 : state.headBias + firstToken * 4;
        return { packed: addressOf(keyOf(state)), bias, outputs: rows, inputs: head.inputs };
      });
      yield { firstToken, heads };
    }
  }

  private setTargets(windows: readonly Int32Array[]): number {
    const rows = windows.reduce((sum, { length }) => sum + length, 0);
    const targets = new Int32Array(rows);
    let at = 0;
    for (const ids of windows) {
      targets.set(ids.subarray(1), at);
      at += ids.length;
      targets[at - 1] = -1;
    }
    this.pool.write(this.targets, targets);
    return rows;
  }

  private async readScores(
    models: number,
    windows: readonly Int32Array[],
    rows: number,
  ): Promise<WindowScore[][]> {
    const all = await this.run('readScores', [
      { sums: this.sums, rows: models * rows, scratchBytes: 0 },
    ]);
    return Array.from({ length: models }, (_, model) => {
      let row = 0;
      return windows.map(({ length }): WindowScore => {
        let nll = 0;
        let divergence = 0;
        let reverseDivergence = 0;
        let confidence = 0;
        let agreements = 0;
        for (let i = 0; i + 1 < length; i++) {
          const at = (model * rows + row + i) * SCORE.length;
          const baseAt = (row + i) * SCORE.length;
          const total = all[at + SCORE.max] + Math.log(all[at + SCORE.sum]);
          nll += total - all[at + SCORE.target];
          confidence += 1 / all[at + SCORE.sum];
          if (all[at + SCORE.top] === all[baseAt + SCORE.top]) agreements++;
          if (model === 0) continue;
          const baseTotal = all[baseAt + SCORE.max] + Math.log(all[baseAt + SCORE.sum]);
          const difference = all[at + SCORE.divergence] / all[baseAt + SCORE.sum];
          divergence += difference - baseTotal + total;
          const reverse = all[at + SCORE.reverse] / all[at + SCORE.sum];
          reverseDivergence += reverse - total + baseTotal;
        }
        row += length;
        return { targets: length - 1, nll, divergence, reverseDivergence, confidence, agreements };
      });
    });
  }

  private rowsOf(hidden: number, row: number) {
    const { hiddenSize } = this.plan;
    return { at: hidden + row * hiddenSize * 4, stride: hiddenSize };
  }

  private tileRows(rows: number, models: number): number {
    const { threads, tileRows } = this.pool;
    const inputBytes = tileRows * INPUT_BYTES;
    const fitting = Math.floor(inputBytes / (models * this.plan.head.inputs * 4));
    return Math.min(Math.max(fitting, MIN_TILE_ROWS), tileRows, Math.ceil(rows / threads));
  }

  private scratchBytes(rows: number, models: number): number {
    const { hiddenSize, head } = this.plan;
    return scoreScratchBytes({ rows, hiddenSize, headInputs: head.inputs, models });
  }
}
