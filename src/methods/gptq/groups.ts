import { makeFormat } from '../../formats/names.js';
import { ruleProperties } from '../../formats/rules.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { StoredParameters } from '../../kernels/reference/columnQuantizer.js';
import type { FixedRange, Kernels } from '../../kernels/types.js';

/** Weights whose groups are fitted at once, where a row has no more. */
export const FIT_WEIGHTS = 1 << 16;

/** Columns of a group. */
export function groupColumns({ group }: NumberFormat, inputs: number): number {
  return group.kind === 'columns' || group.kind === 'blocks'
    ? Math.min(group.size, inputs)
    : inputs;
}

/** Parameters of the groups of some rows, found a group of columns at a time. */
export class RowGroups {
  readonly parameters: StoredParameters;
  private readonly format: NumberFormat;

  /**
   * @param rows whose groups are kept
   * @param groups of each row
   * @param kernels with room for {@link FIT_WEIGHTS} or a row
   */
  constructor(
    { entry, group, search }: NumberFormat,
    private readonly scaleDtype: ScaleDtype,
    private readonly tensorRange: FixedRange | undefined,
    private readonly rows: number,
    groups: number,
    private readonly kernels: Kernels,
  ) {
    // What is fitted is a group of each row: rows of its columns alone.
    this.format = makeFormat(entry, group.kind === 'tensor' ? group : { kind: 'row' }, search);
    const floats = () => new Float32Array(rows * groups);
    this.parameters = { scales: floats(), negativeScales: floats(), zeroPoints: floats() };
  }

  /**
   * Fits one group of every row.
   * @param fill writes the columns of some rows, finite
   */
  fit(
    group: number,
    columns: number,
    fill: (target: Float32Array, firstRow: number, rows: number) => void,
  ): void {
    if (!ruleProperties(this.format.entry.rule).hasGroups) return;
    const most = Math.max(1, Math.floor(FIT_WEIGHTS / columns));
    const { parameters } = this;
    for (let row = 0; row < this.rows; row += most) {
      const rows = Math.min(most, this.rows - row);
      fill(this.kernels.weights(rows * columns), row, rows);
      const encoded = this.kernels.encode(
        this.format,
        this.scaleDtype,
        { rows, columns },
        { tensorRange: this.tensorRange },
      );
      const at = group * this.rows + row;
      parameters.scales.set(encoded.scales, at);
      if (encoded.negativeScales) parameters.negativeScales.set(encoded.negativeScales, at);
      if (encoded.zeroPoints) parameters.zeroPoints.set(encoded.zeroPoints, at);
      parameters.tensorScale = encoded.tensorScale;
    }
  }
}
