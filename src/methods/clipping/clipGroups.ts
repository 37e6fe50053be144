import type { NumberFormat } from '../../formats/types.js';

/** Why a format's groups cannot be clipped one by one; undefined where they can. */
export function refusesClipping({ entry, group }: NumberFormat): string | undefined {
  if (entry.rule.kind === 'cast') return `${entry.name} has no groups whose range could be clipped`;
  if (group.kind === 'tensor') return 'clipping needs groups of a row or less, not a whole tensor';
  return undefined;
}

/**
 * Inputs of a group that is clipped by itself, the last of a row may have fewer. Undefined where groups
 * cross rows, which then cannot be clipped one by one.
 */
export function clipGroupColumns({ group }: NumberFormat, inputs: number): number | undefined {
  if (group.kind === 'columns') return Math.min(group.size, inputs);
  if (group.kind === 'blocks') return inputs % group.size === 0 ? group.size : undefined;
  return inputs;
}
