import { describeSystemError } from '../storage/describeError.js';
import { CheckpointError, visible } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { decodeText } from '../storage/text.js';
import { WHOLE_FILES } from '../storage/wholeFiles.js';
import { parseJson } from './jsonText.js';

/** A model folder's `config.json`, or what is wrong with it. Both are absent when there is none. */
export interface ConfigFile {
  /** The parsed object. Its contents come from the file and are unchecked. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Why it could not be read, in one line that names the file. */
  readonly problem?: string;
}

/**
 * Reads `config.json` of a model folder, or another file of its kind. Never throws: weights can be viewed without it.
 *
 * Python writes NaN and Infinity as bare words, which JSON does not have; published configurations
 * contain them, so they are understood here (NaN as the text "NaN", which is no number to any reader;
 * as null it would pass for a field that is left out).
 */
export async function readConfigFile(
  folder: string,
  fileSystem: FileSystem,
  name = 'config.json',
): Promise<ConfigFile> {
  const path = fileSystem.join(folder, name);
  try {
    if ((await fileSystem.kind(path)) === undefined) return {};
    const bytes = await fileSystem.read(path, WHOLE_FILES.configuration);
    return { config: parseConfig(decodeText(path, bytes)) };
  } catch (error) {
    if (error instanceof CheckpointError) return { problem: error.inFile(path).message };
    return { problem: `${visible(path)}: ${describeSystemError(error)}` };
  }
}

function parseConfig(text: string): Record<string, unknown> {
  const value = parseJson(text, { pythonNumbers: true });
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error('the text is JSON but not an object');
}
