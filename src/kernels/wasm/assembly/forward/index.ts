// The loops of a forward pass in WebAssembly. Stateless and without allocation, so that many
// instances may share one memory. What each must compute: kernels/forwardKernels.ts and
// kernels/reference/forward.
export { inputTile, packColumns, packInputs, packRows } from './packing';
export { multiply } from './matrix';
export { layerNorm, rmsNorm } from './norms';
export { rotate } from './rotary';
export { attend, attentionScratchBytes } from './attention';
export { roundRows } from './rounding';
export { activate, add, softCap } from './activations';
export { diverge, score } from './score';
export * from '../calibration/index';
export * from '../backward/index';
