import type { AssetName, Assets } from '../../host/host.js';
import type { BackwardExports } from './backwardExports.js';
import type { CalibrationExports } from './calibrationExports.js';

/** What the compiled module exports; see `assembly/forward`. Addresses in bytes, strides in floats. */
export interface ForwardExports extends CalibrationExports, BackwardExports {
  inputTile(): number;
  packRows(source: number, stride: number, outputs: number, inputs: number, target: number): void;
  packColumns(
    source: number,
    stride: number,
    outputs: number,
    inputs: number,
    target: number,
  ): void;
  packInputs(source: number, stride: number, rows: number, inputs: number, target: number): void;
  multiply(
    packedInputs: number,
    packedWeights: number,
    bias: number,
    output: number,
    outputStride: number,
    rows: number,
    outputs: number,
    inputs: number,
    add: number,
  ): void;
  rmsNorm(
    source: number,
    stride: number,
    rows: number,
    columns: number,
    weight: number,
    offset: number,
    epsilon: number,
    target: number,
    targetStride: number,
  ): void;
  layerNorm(
    source: number,
    stride: number,
    rows: number,
    columns: number,
    weight: number,
    bias: number,
    epsilon: number,
    target: number,
    targetStride: number,
  ): void;
  rotate(
    values: number,
    stride: number,
    rows: number,
    heads: number,
    headStride: number,
    dims: number,
    cos: number,
    sin: number,
    interleaved: number,
  ): void;
  attentionScratchBytes(rows: number, headSize: number, window: number): number;
  attend(
    queries: number,
    queryStride: number,
    keys: number,
    values: number,
    rows: number,
    headSize: number,
    scale: number,
    window: number,
    cap: number,
    output: number,
    outputStride: number,
    scratch: number,
  ): void;
  activate(
    activation: number,
    gate: number,
    gateStride: number,
    up: number,
    upStride: number,
    rows: number,
    columns: number,
    target: number,
    targetStride: number,
  ): void;
  roundRows(
    source: number,
    stride: number,
    rows: number,
    columns: number,
    fractionBits: number,
    minExponent: number,
    largest: number,
    ties: number,
    scale: number,
    channelScales: number,
    target: number,
    targetStride: number,
  ): void;
  add(
    source: number,
    stride: number,
    rows: number,
    columns: number,
    target: number,
    targetStride: number,
  ): void;
  softCap(values: number, stride: number, rows: number, columns: number, cap: number): void;
  score(
    logits: number,
    stride: number,
    rows: number,
    columns: number,
    firstToken: number,
    targets: number,
    sums: number,
  ): void;
  diverge(
    base: number,
    baseStride: number,
    logits: number,
    stride: number,
    rows: number,
    columns: number,
    baseSums: number,
    sums: number,
  ): void;
}

/** The builds of a forward pass's loops, best first: with fused multiply-add, and without. */
export const FORWARD_MODULES: readonly AssetName[] = ['forward-fma.wasm', 'forward.wasm'];

/**
 * Compiles the best build of `assembly/forward` that this engine accepts: relaxed SIMD is newer than the
 * oldest engine supported.
 * @throws {Error} where no build is accepted or the files are missing
 */
export async function loadForwardModule(assets: Pick<Assets, 'read'>): Promise<WebAssembly.Module> {
  for (const name of FORWARD_MODULES) {
    const bytes = await assets.read(name);
    if (WebAssembly.validate(bytes)) return WebAssembly.compile(bytes);
  }
  throw new Error('This engine does not run WebAssembly with 128-bit vectors');
}

/**
 * Instantiates the compiled loops over a shared memory. They have no data and no state: any number
 * of instances may work in one memory at once, each on its own part.
 */
export async function instantiateForward(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<ForwardExports> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return instance.exports as unknown as ForwardExports;
}
