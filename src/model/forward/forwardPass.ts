import type { Matrix } from '../../kernels/forwardKernels.js';
import { isRouter, withoutRouter, type HeadLayout } from './block.js';
import { ExpertPass } from './expertPass.js';
import { columns, rowsFrom, type Layers } from './layers.js';
import { rowsOf } from './rowTiles.js';
import type { Scratch } from './scratch.js';
import type {
  ActivateTask,
  AddFeedForwardTask,
  AttendTask,
  ExpertInputsTask,
  ExpertsTask,
  FinishTask,
  LinearTask,
  PlacedBlock,
  PlacedNorm,
  ProjectTask,
  RowTile,
  SiteInputsTask,
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
    const packed = this.layers.packForAll(
      attention.projections,
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
    const { feedForward, parallel } = block;
    const scratch = this.layers.scratchOf(region);
    const { hidden, inputs } = tile;
    const rows = rowsOf(tile);
    const normed = () => this.packFeedForward(block, hidden, rows, scratch, inputs?.feedForward);
    const before = parallel ? normed() : [];
    this.addAttended(block, tile, scratch);
    if (isRouter(feedForward)) {
      this.experts.route(block, tile, scratch);
      return;
    }
    const packed = this.layers.packActivated(
      { feedForward, packed: parallel ? before : normed(), rows, copy: inputs?.down },
      scratch,
    );
    this.addDown(block, packed, rows, hidden, scratch);
  }

  /** Inputs of attention or of the feed-forward part: hidden → target. */
  siteInputs({ norm, source, rows, columns: size, target }: SiteInputsTask): void {
    if (norm) this.layers.norm({ source, rows, columns: size, norm, target });
    else this.layers.copy(source, rows, size, target);
  }

  /** The end of attention: attended → hidden. */
  addAttention({ block, tile, region }: FinishTask): void {
    this.addAttended(block, tile, this.layers.scratchOf(region));
  }

  /** Inputs of the last map of a feed-forward part: hidden → target. */
  activate({ block, source, rows, target, region }: ActivateTask): void {
    const feedForward = withoutRouter(block);
    const scratch = this.layers.scratchOf(region);
    const packed = this.packFeedForward(block, source, rows, scratch);
    this.layers.packActivated({ feedForward, packed, rows, copy: target }, scratch);
  }

  /** The end of a feed-forward part: its activated inputs → hidden. */
  addFeedForward({ block, source, rows, hidden, region }: AddFeedForwardTask): void {
    const scratch = this.layers.scratchOf(region);
    const { inputs, inputRounding: rounding } = withoutRouter(block).down;
    const packed = this.layers.packInputs({ source, rows, columns: inputs, rounding }, scratch);
    this.addDown(block, packed, rows, hidden, scratch);
  }

  private packFeedForward(
    { attention, feedForward, feedForwardNorms }: PlacedBlock,
    source: Matrix,
    rows: number,
    scratch: Scratch,
    copy?: Matrix,
  ): readonly number[] {
    const norm = feedForwardNorms.before;
    const input = { source, rows, columns: attention.output.outputs, norm, copy };
    const linears = isRouter(feedForward) ? [] : feedForward.projections;
    return this.layers.packForAll(linears, input, scratch);
  }

  private addAttended(
    { attention, attentionNorms, branchScale }: PlacedBlock,
    tile: RowTile,
    scratch: Scratch,
  ): void {
    const { hidden, attended, inputs } = tile;
    const rows = rowsOf(tile);
    const { output: linear } = attention;
    const copy = inputs?.attentionOutput;
    const rounding = linear.inputRounding;
    const input = { source: attended, rows, columns: linear.inputs, copy, rounding };
    const packed = this.layers.packInputs(input, scratch);
    const { after, ofSum } = attentionNorms;
    this.layers.addBranch({ linear, packed, rows, hidden, after, scale: branchScale }, scratch);
    if (ofSum) this.normSum(ofSum, hidden, rows, linear.outputs);
  }

  private addDown(
    block: PlacedBlock,
    packed: number,
    rows: number,
    hidden: Matrix,
    scratch: Scratch,
  ): void {
    const { down: linear } = withoutRouter(block);
    const { branchScale, feedForwardNorms } = block;
    const { after, ofSum } = feedForwardNorms;
    this.layers.addBranch({ linear, packed, rows, hidden, after, scale: branchScale }, scratch);
    if (ofSum) this.normSum(ofSum, hidden, rows, linear.outputs);
  }

  private normSum(norm: PlacedNorm, hidden: Matrix, rows: number, size: number): void {
    this.layers.norm({ source: hidden, rows, columns: size, norm, target: hidden });
  }

  /** What some experts come to: routed → hidden. */
  applyExperts(task: ExpertsTask): Promise<void> {
    return this.experts.apply(task);
  }

  /** What an expert's linear maps take, of the rows that go to it. */
  expertInputs(task: ExpertInputsTask): void {
    this.experts.inputs(task);
  }

  /** A linear map on its own. */
  applyLinear({ linear, source, rows, target, region }: LinearTask): void {
    const scratch = this.layers.scratchOf(region);
    const { inputs, inputRounding: rounding } = linear;
    const packed = this.layers.packInputs({ source, rows, columns: inputs, rounding }, scratch);
    this.layers.multiplyAll([linear], [packed], rows, target);
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
