import { parseFormat } from './names.js';
import { ruleProperties } from './rules.js';
import type { GgmlTypeName, NumberFormat } from './types.js';

/** What llama.cpp writes in place of super-blocks of 256 where they do not divide a row. */
const SMALLER_BLOCKS: Readonly<Partial<Record<GgmlTypeName, GgmlTypeName>>> = {
  q2_k: 'q4_0',
  q3_k: 'q4_0',
  q4_k: 'q5_0',
  q5_k: 'q5_1',
  q6_k: 'q8_0',
  iq4_xs: 'iq4_nl',
  tq1_0: 'q4_0',
  tq2_0: 'q4_0',
};

/** What is left where no blocks divide a row. */
const WITHOUT_BLOCKS = 'f16';

/**
 * The format that a tensor is stored in where one is asked for: GGUF rows are whole blocks, and where a row
 * is none, llama.cpp takes a type of smaller blocks, or none.
 * @param columns of its rows; 1 where it has none
 */
export function formatForWidth(format: NumberFormat, columns = 1): NumberFormat {
  const { rule } = format.entry;
  if (rule.kind !== 'ggml' || fitsWidth(format, columns)) return format;
  const smaller = SMALLER_BLOCKS[rule.type];
  return smaller === undefined
    ? parseFormat(WITHOUT_BLOCKS)
    : formatForWidth(parseFormat(smaller), columns);
}

/** True where rows are whole groups, or groups have nothing to do with rows. */
export function fitsWidth({ group }: NumberFormat, columns: number): boolean {
  return group.kind !== 'columns' || columns % group.size === 0;
}

/** True where a ragged last group is filled up, and takes as much as a whole one. */
export function fillsGroups({ entry, group }: NumberFormat): boolean {
  return ruleProperties(entry.rule).storesWholeBlocks && group.kind === 'columns';
}
