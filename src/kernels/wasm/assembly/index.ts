// The WebAssembly kernels. Plain loops over memory that the caller lays out; no allocation, no
// state. What each must compute is defined by kernels/reference.
export { decodeBF16, decodeF16 } from './decode';
export { quantizeChunk, sumErrors } from './quantize';
export { groupExtremes, replaceNonFinite, sumWeights } from './weights';
export { count16, countBins, countLower, countUpper } from './counts';
export { groupExtremes16 } from './codes';
export { sumForMean, sumPowersAround } from './moments';
export { quantizeGgml } from './ggml/quantizeGgml';
export { encodeChunk } from './encode';
