import { basename } from 'node:path';
import { writeAtomically, type WriteOptions } from '../../../storage/node/atomicFile.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { decodeText } from '../../../storage/text.js';
import { WHOLE_FILES } from '../../../storage/wholeFiles.js';
import type { FormatMix } from '../../mixes.js';
import { parseRecipe, type Recipe } from '../recipe.js';

/** A recipe and what it is called. */
export interface NamedRecipe {
  readonly recipe: Recipe;
  readonly mix: FormatMix;
}

/** Reads a recipe; its name is that of the file. @throws an Error of one line that names the file, the place and the rule */
export async function readRecipe(path: string): Promise<NamedRecipe> {
  const text = decodeText(path, await localFileSystem.read(path, WHOLE_FILES.recipe));
  const recipe = parseRecipe(text, path);
  return { recipe, mix: { name: basename(path), tensors: recipe.tensors } };
}

/** Writes a text whole or not at all. @throws CheckpointError; an AbortError when cancelled */
export function writeText(path: string, text: string, options: WriteOptions): Promise<void> {
  return writeAtomically(path, options, (append) => append(new TextEncoder().encode(text)));
}
