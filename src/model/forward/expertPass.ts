import type { Matrix } from '../../kernels/forwardKernels.js';
import { isRouter } from './block.js';
import type { Layers } from './layers.js';
import { rowsOf } from './rowTiles.js';
import { EXPERT_ROWS, type Scratch } from './scratch.js';
import type { ExpertInputsTask, ExpertsTask, PlacedBlock, PlacedExpert, RowTile } from './tasks.js';

/** A feed-forward part that is a router and experts, whose weights come into memory after it has chosen. */
export class ExpertPass {
  constructor(private readonly layers: Layers) {}

  /**
   * Norm, logits of experts, choice: hidden → what experts take, and which take it.
   * @throws for a block that adds the feed-forward part in another way than these blocks do
   */
  route(block: PlacedBlock, tile: RowTile, scratch: Scratch): void {
    const { feedForward, feedForwardNorms, attention, parallel, branchScale = 1 } = block;
    const { routed, hidden: source } = tile;
    const { before: norm, after, ofSum } = feedForwardNorms;
    if (!isRouter(feedForward) || !routed) throw new Error('There is no router');
    if (parallel || branchScale !== 1 || after || ofSum) {
      throw new Error('Experts take normed hidden states and are added as they are');
    }
    const { router, expertsPerRow, normalized } = feedForward;
    const { layers } = this;
    const rows = rowsOf(tile);
    const columns = attention.output.outputs;
    const target = routed.inputs;
    if (norm) layers.norm({ source, rows, columns, norm, target });
    else layers.copy(source, rows, columns, target);
    const copy = tile.inputs?.feedForward;
    const inputs = { source: target, rows, columns, copy };
    const packed = layers.packForAll([router], inputs, scratch);
    const logits: Matrix = { at: scratch.floats(rows * router.outputs), stride: router.outputs };
    layers.multiplyAll([router], packed, rows, logits);
    layers.route({
      logits,
      rows,
      experts: router.outputs,
      expertsPerRow,
      normalized,
      routes: routed.routes,
    });
  }

  /** hidden += weight·expert(inputs), expert by expert in their order, of the rows that go to each. */
  async apply({
    experts,
    expertsPerRow,
    rows,
    hidden,
    routed,
    region,
  }: ExpertsTask): Promise<void> {
    const routes = await this.layers.readRoutes(routed.routes, rows, expertsPerRow);
    for (const placed of experts) {
      const places: number[] = [];
      for (let row = 0; row < rows; row++) {
        const from = row * routes.stride;
        for (let place = from; place < from + expertsPerRow; place++) {
          if (routes.experts[place] === placed.expert) places.push(place);
        }
      }
      for (let first = 0; first < places.length; first += EXPERT_ROWS) {
        const some = places.slice(first, first + EXPERT_ROWS).map((place) => ({
          row: Math.floor(place / routes.stride),
          weight: routes.weights[place],
        }));
        const scratch = this.layers.scratchOf(region);
        this.applyOne(placed, some, routed.inputs, hidden, scratch);
        scratch.free();
      }
    }
  }

  /** Inputs of an expert's first maps, or of its last one, of the rows that go to it: source → target. */
  inputs({ feedForward, site, source, rows, target, region }: ExpertInputsTask): void {
    const { layers } = this;
    const [{ inputs: size }] = feedForward.projections;
    if (site === 'feedForward') {
      layers.gather({ source, columns: size, rows, target });
      return;
    }
    const scratch = layers.scratchOf(region);
    const gathered: Matrix = { at: scratch.floats(rows.length * size), stride: size };
    layers.gather({ source, columns: size, rows, target: gathered });
    const input = { source: gathered, rows: rows.length, columns: size };
    const packed = layers.packForAll(feedForward.projections, input, scratch);
    layers.packActivated({ feedForward, packed, rows: rows.length, copy: target }, scratch);
  }

  private applyOne(
    { feedForward }: PlacedExpert,
    chosen: readonly { readonly row: number; readonly weight: number }[],
    inputs: Matrix,
    hidden: Matrix,
    scratch: Scratch,
  ): void {
    const { layers } = this;
    const { down, projections } = feedForward;
    const [{ inputs: size }] = projections;
    const rows = chosen.length;
    const gathered: Matrix = { at: scratch.floats(rows * size), stride: size };
    const numbers = chosen.map(({ row }) => row);
    layers.gather({ source: inputs, columns: size, rows: numbers, target: gathered });
    const input = { source: gathered, rows, columns: size };
    const taken = layers.packForAll(projections, input, scratch);
    const packed = layers.packActivated({ feedForward, packed: taken, rows }, scratch);
    const results: Matrix = { at: scratch.floats(rows * down.outputs), stride: down.outputs };
    layers.multiplyAll([down], [packed], rows, results);
    layers.addScaled({
      source: results,
      columns: down.outputs,
      rows: numbers,
      target: hidden,
      weights: chosen.map(({ weight }) => weight),
    });
  }
}
