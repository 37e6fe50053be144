/** Byte offsets in the tables area of a workspace; all 16-byte aligned. */
export const TABLES = Object.freeze({
  sums: 0,
  first: 256,
  config: 320,
  /** Up to four grids of 320 bytes. */
  grid: 512,
  /** Up to 16 choices of 32 bytes. */
  choices: 2048,
  /** 6,144 bytes, for the searches of the super-blocks. */
  blockScratch: 4096,
});
