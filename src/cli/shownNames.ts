import { visible } from '../storage/errors.js';
import { shorten } from '../storage/shorten.js';
import { formatCount } from './numbers.js';

/** Names of real models have some 60 characters; a table must stay readable whatever a file holds. */
const MAX_NAME_CHARACTERS = 120;

/** More dimensions than weights ever have. */
const MAX_DIMENSIONS = 8;

/** A name from a file as tables show it: one line, its middle left out where it is very long. */
export function showName(name: string): string {
  return shorten(name, MAX_NAME_CHARACTERS, visible);
}

/** "512 × 1408"; of very many dimensions the first, and how many there are. */
export function showShape(shape: readonly (number | string)[]): string {
  if (shape.length === 0) return 'scalar';
  if (shape.length <= MAX_DIMENSIONS) return shape.join(' × ');
  const shown = shape.slice(0, MAX_DIMENSIONS).join(' × ');
  return `${shown} × … (${formatCount(shape.length)} dimensions)`;
}
