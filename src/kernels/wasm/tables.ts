/** Byte offsets in the tables area of a workspace; all 16-byte aligned. */
export const TABLES = Object.freeze({
  sums: 0,
  first: 256,
  config: 320,
  grid: 512,
  /** 6,144 bytes, for the searches of the super-blocks. */
  blockScratch: 4096,
});
