import type { Matrix } from '../../kernels/forwardKernels.js';
import { isRouter, type HeadLayout } from './block.js';
import { ExpertPass } from './expertPass.js';
import { columns, rowsFrom, type Layers } from './layers.js';
import { rowsOf } from './rowTiles.js';
import type {
  AttendTask,
  ExpertsTask,
  FinishTask,
  LinearTask,
  PlacedNorm,
  ProjectTask,
  RowTile,
} from './tasks.js';

/** Heads that are normed in place. */
interface HeadsNorm {
  /** The rows that they lie in. */
  readonly projected: Matrix;
  readonly rows: number;
  readonly layout: HeadLayout;
  readonly heads: number;
  readonly headSize: number;
  readonly norm: PlacedNorm;
  readonly headNorms: 'own' | 'joined' | undefined;
}

/** The interpreter of block plans: what each phase of a forward pass does with some rows. */
export class ForwardPass {
  private readonly experts: ExpertPass;

  constructor(private readonly layers: Layers) {
    this.experts = new ExpertPass(layers);
  }

  /** Norm, queries, keys and values, rotation: hidden → projected. */
  project({ block, tile, region }: ProjectTask): void {
    const { attention, attentionNorms } = block;
    const scratch = this.layers.scratchOf(region);
    const rows = rowsOf(tile);
    const inputs = attention.projections[0].inputs;
    const packed = this.layers.packNormed(
      {
        source: tile.hidden,
        rows,
        columns: inputs,
        norm: attentionNorms.before,
        copy: tile.inputs?.attention,
      },
      scratch,
    );
    this.layers.multiplyAll(attention.projections, packed, rows, tile.projected);
    const parts = [
      { layout: attention.queries, heads: attention.heads, norm: attention.queryNorm },
      { layout: attention.keys, heads: attention.keyValueHeads, norm: attention.keyNorm },
    ];
    const { headSize, headNorms, rotation } = attention;
    for (const { layout, heads, norm } of parts) {
      if (norm) {
        const { projected } = tile;
        this.normHeads({ projected, rows, layout, heads, headSize, norm, headNorms });
      }
      if (rotation !== 'none') this.rotate(tile, layout, heads, rotation === 'local');
    }
  }

  /** Attention of some heads over one window: projected → attended. */
  attend(task: AttendTask): void {
    this.layers.attend(task);
  }

  /** The rest of a block: attended → hidden; the experts of a router follow. */
  finish({ block, tile, region }: FinishTask): void {
    const { attention, attentionNorms, feedForward, feedForwardNorms, parallel } = block;
    const scale = block.branchScale;
    const scratch = this.layers.scratchOf(region);
    const { hidden, inputs } = tile;
    const rows = rowsOf(tile);
    const size = attention.output.outputs;
    const normed = () =>
      this.layers.packNormed(
        {
          source: hidden,
          rows,
          columns: size,
          norm: feedForwardNorms.before,
          copy: inputs?.feedForward,
        },
        scratch,
      );
    const ofSum = (norm: PlacedNorm) =>
      this.layers.norm({ source: hidden, rows, columns: size, norm, target: hidden });
    const before = parallel ? normed() : 0;

    const attended = this.layers.packInputs(
      {
        source: tile.attended,
        rows,
        columns: attention.output.inputs,
        copy: inputs?.attentionOutput,
      },
      scratch,
    );
    this.layers.addBranch(
      {
        linear: attention.output,
        packed: attended,
        rows,
        hidden,
        after: attentionNorms.after,
        scale,
      },
      scratch,
    );
    if (attentionNorms.ofSum) ofSum(attentionNorms.ofSum);

    if (isRouter(feedForward)) {
      this.experts.route(block, tile, scratch);
      return;
    }
    const packed = this.layers.packActivated(
      { feedForward, packed: parallel ? before : normed(), rows, copy: inputs?.down },
      scratch,
    );
    this.layers.addBranch(
      { linear: feedForward.down, packed, rows, hidden, after: feedForwardNorms.after, scale },
      scratch,
    );
    if (feedForwardNorms.ofSum) ofSum(feedForwardNorms.ofSum);
  }

  /** What some experts come to: routed → hidden. */
  applyExperts(task: ExpertsTask): Promise<void> {
    return this.experts.apply(task);
  }

  /** A linear map on its own. */
  applyLinear({ linear, source, rows, target, region }: LinearTask): void {
    const scratch = this.layers.scratchOf(region);
    const packed = this.layers.packInputs({ source, rows, columns: linear.inputs }, scratch);
    this.layers.multiplyAll([linear], packed, rows, target);
  }

  private normHeads(task: HeadsNorm): void {
    const { projected, rows, layout, heads, headSize, norm, headNorms } = task;
    if (headNorms === 'joined') {
      const values = columns(projected, layout.at);
      const all = heads * headSize;
      this.layers.norm({ source: values, rows, columns: all, norm, target: values });
      return;
    }
    for (let head = 0; head < heads; head++) {
      const values = columns(projected, layout.at + head * layout.stride);
      const skip = headNorms === 'own' ? head * headSize * 4 : 0;
      const from = (vector: number) => (vector === 0 ? 0 : vector + skip);
      const own = { ...norm, weight: from(norm.weight), bias: from(norm.bias) };
      this.layers.norm({ source: values, rows, columns: headSize, norm: own, target: values });
    }
  }

  private rotate(
    { projected, segments }: RowTile,
    layout: HeadLayout,
    heads: number,
    local: boolean,
  ): void {
    let first = 0;
    for (const { rows, position, ...tables } of segments) {
      const rotary = local ? tables.localRotary : tables.rotary;
      if (rotary) {
        const offset = (position * rotary.dims * 4) / 2;
        this.layers.kernels.rotate({
          values: columns(rowsFrom(projected, first), layout.at),
          rows,
          heads,
          headStride: layout.stride,
          dims: rotary.dims,
          cos: rotary.cos + offset,
          sin: rotary.sin + offset,
          interleaved: rotary.interleaved,
        });
      }
      first += rows;
    }
  }
}
