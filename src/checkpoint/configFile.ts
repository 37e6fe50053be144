import { readAll } from '../storage/byteSource.js';
import { describeSystemError, visible } from '../storage/errors.js';
import { withSource, type FileSystem } from '../storage/fileSystem.js';
import { parseJson } from './jsonText.js';

/** A model folder's `config.json`, or what is wrong with it. Both are absent when there is none. */
export interface ConfigFile {
  /** The parsed object. Its contents come from the file and are unchecked. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Why it could not be read, in one line that names the file. */
  readonly problem?: string;
}

/** Configurations are a few kilobytes; more than this is no configuration. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

/**
 * Reads `config.json` of a model folder. Never throws: weights can be viewed without it.
 *
 * Python writes NaN and Infinity as bare words, which JSON does not have; published configurations
 * contain them, so they are understood here (NaN as null).
 */
export async function readConfigFile(folder: string, fileSystem: FileSystem): Promise<ConfigFile> {
  const path = fileSystem.join(folder, 'config.json');
  try {
    if ((await fileSystem.kind(path)) === undefined) return {};
    return await withSource(fileSystem, path, async (source) => {
      if (source.size > MAX_CONFIG_BYTES) throw new Error(`${source.size} bytes are too many`);
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await readAll(source));
      return { config: parseConfig(text) };
    });
  } catch (error) {
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
