import { visible } from '../storage/errors.js';
import { formatCount } from './numbers.js';
import { shortenMiddle } from './shorten.js';

/** Characters of a name and dimensions of a shape that are shown; models keep far below both. */
const MAX_NAME = 120;
const MAX_DIMENSIONS = 8;

/** A tensor's or a layer's name for a cell of a table. */
export function nameText(name: string): string {
  return shortenMiddle(name, MAX_NAME, visible);
}

/** "2048 × 256", "scalar", or the first of a great many dimensions and their number. */
export function shapeText({
  shape,
  exactShape,
}: {
  readonly shape: readonly number[];
  readonly exactShape?: readonly string[];
}): string {
  if (shape.length === 0) return 'scalar';
  const dimensions = exactShape ?? shape;
  if (dimensions.length <= MAX_DIMENSIONS) return dimensions.join(' × ');
  const first = dimensions.slice(0, MAX_DIMENSIONS - 2).join(' × ');
  return `${first} × … (${formatCount(dimensions.length)} dimensions)`;
}
