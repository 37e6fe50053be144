import { afpq } from './entries/afpq.js';
import { awq } from './entries/awq.js';
import { bitsandbytesInt8, bitsandbytes4bit } from './entries/bitsandbytes.js';
import { float8 } from './entries/float8.js';
import { fp4Packed } from './entries/fp4Packed.js';
import { ggml } from './entries/ggml.js';
import { gptOss } from './entries/gptOss.js';
import { gptq } from './entries/gptq.js';
import { int8 } from './entries/int8.js';
import { mlx } from './entries/mlx.js';
import { NOT_DECODED, UNKNOWN_INTEGERS } from './entries/notDecoded.js';
import { packQuantized } from './entries/packQuantized.js';
import { vptq } from './entries/vptq.js';
import type { Layout } from './layout.js';

/**
 * Every way in which weights are stored other than as plain numbers; the first that knows a weight has it. A
 * new one: a file, a line here. One that is only to be refused by name: an entry of `notDecoded.ts`.
 */
export const LAYOUTS: readonly Layout[] = Object.freeze([
  ggml,
  ...NOT_DECODED,
  afpq,
  gptq,
  awq,
  packQuantized,
  fp4Packed,
  float8,
  bitsandbytesInt8,
  int8,
  bitsandbytes4bit,
  mlx,
  gptOss,
  vptq,
  ...UNKNOWN_INTEGERS,
]);

const byId = new Map(LAYOUTS.map((layout) => [layout.id, layout]));

/** A layout by its identifier. @throws where there is none */
export function findLayout(id: string): Layout {
  const layout = byId.get(id);
  if (!layout) throw new Error(`There is no layout "${id}"`);
  return layout;
}
