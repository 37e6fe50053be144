import { formatForWidth } from '../../formats/index.js';
import type { CalibratedLinear, CalibrationSite } from '../../methods/types.js';
import type { LinearPlan } from '../config/plan.js';
import type { TensorChange } from '../evaluation/types.js';
import type { WeightStore } from '../evaluation/weightStore.js';
import type { CalibratedTensor, CalibrationRequest } from './types.js';
import type { SitePlaces } from './workspace.js';

/** Weights of one site's linear maps as f32 rows in a workspace, where a step sees and replaces them. */
export class SiteWeights {
  private readonly inputs: number;

  constructor(
    private readonly request: CalibrationRequest,
    private readonly linears: readonly LinearPlan[],
    private readonly places: SitePlaces,
  ) {
    [{ inputs: this.inputs }] = linears;
  }

  /** Brings the weights in, as they are before this calibration. */
  load(store: WeightStore): Promise<void> {
    return this.loadAs(store, (change) => change);
  }

  /** Brings them in rounded to nearest. */
  loadRounded(store: WeightStore): Promise<void> {
    const format = formatForWidth(this.request.format, this.inputs);
    return this.loadAs(store, (change) => ({ ...change, format }));
  }

  private loadAs(
    store: WeightStore,
    as: (before: TensorChange | undefined) => TensorChange | undefined,
  ): Promise<void> {
    return store.loadRows(
      this.linears.map((linear, index) => ({
        linear,
        at: this.places.linears[index].weights.at,
        change: as(this.request.base.get(linear.weight)),
      })),
    );
  }

  /** The site as steps of methods take it. @param linears default: all */
  siteIn(
    block: number,
    linears: readonly CalibratedLinear[] = this.places.linears,
  ): CalibrationSite {
    const { pool, format, scaleDtype } = this.request;
    const { inputs } = this;
    return {
      machine: pool,
      block,
      inputs,
      linears,
      format: formatForWidth(format, inputs),
      scaleDtype,
    };
  }

  /** The weights: views of the workspace. */
  get values(): readonly Float32Array[] {
    const { pool } = this.request;
    return this.places.linears.map(
      ({ outputs, weights }) =>
        new Float32Array(pool.memory.buffer, weights.at, outputs * this.inputs),
    );
  }

  /** The weights as tensors, which share the workspace's memory. */
  get tensors(): CalibratedTensor[] {
    const { values, inputs, places } = this;
    return places.linears.map(({ name, outputs }, index) => ({
      name,
      shape: [outputs, inputs],
      values: values[index],
    }));
  }
}
