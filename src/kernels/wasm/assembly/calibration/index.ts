// The loops of calibrated methods, a part of the module of the forward pass, whose product they share.
// What each must compute: kernels/calibrationKernels.ts and kernels/reference/calibration.
export { addGram, addStatistics } from './gram';
export { copyTriangle, factorDiagonal, solveRows, updateRows } from './factor';
export { findNearest } from './nearest';
export { gather, packWindow, propagate, spread, substitute } from './propagate';
