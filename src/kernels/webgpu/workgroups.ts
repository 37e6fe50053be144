/** Threads of a workgroup. */
export const WORKGROUP = 256;

/** Weights of a workgroup in kernels that sum over a chunk. */
export const WEIGHTS_OF_WORKGROUP = WORKGROUP * 8;

/** Threads that share a group: a power of two, eight weights each where there are many. */
export function lanesFor(groupColumns: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, groupColumns / 8)));
  return Math.min(WORKGROUP, wanted);
}
