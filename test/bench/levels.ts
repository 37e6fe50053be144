import { parseFormat } from '../../src/formats/index.js';

const { rule } = parseFormat('nf4').entry;
if (rule.kind !== 'grid') throw new Error('NF4 is a grid');

/** NF4's levels, rounded to f16. */
export const NF4_F16: Float32Array = rule.grid.levels;
