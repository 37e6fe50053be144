// The loops that take a forward pass back, a part of its module, whose product they share. What each must
// compute: kernels/backwardKernels.ts and kernels/reference/backward.
export { adamStep } from './adam';
export { gatedBackward } from './gates';
export { logitGradient } from './logits';
export { rmsNormBackward } from './norms';
export { packTransposed } from './packing';
export { causalSoftmax, softmaxBackward } from './softmax';
