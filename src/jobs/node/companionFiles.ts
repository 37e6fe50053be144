import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMPANION_FILES } from '../../checkpoint/node/modelFiles.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import { describeError } from '../../storage/describeError.js';
import { WHOLE_FILES } from '../../storage/wholeFiles.js';

/** Where configurations say in which type weights are stored; the later name is the newer. */
const DTYPE_KEYS = ['torch_dtype', 'dtype'];

/** Where they say how weights are quantized, which they no longer are. */
const QUANTIZATION_KEYS = ['quantization_config', 'quantization'];

export interface WrittenCompanions {
  readonly names: readonly string[];
  /** What could not be taken along, and why. */
  readonly notes: readonly string[];
}

/**
 * Writes beside the weights of a new model folder what makes a model of them: the configuration, which then
 * says that they are F32, and copies of tokenizer and the like.
 */
export async function writeCompanions(
  model: OpenedModel,
  folder: string,
): Promise<WrittenCompanions> {
  const names: string[] = [];
  const notes: string[] = [];
  const write = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(folder, name), content, { flag: 'wx' });
    names.push(name);
  };
  if (model.config) await write('config.json', writeConfiguration(model));
  const { fileSystem } = model;
  for (const name of COMPANION_FILES) {
    const path = fileSystem.join(model.folder, name);
    let bytes: Uint8Array;
    try {
      if ((await fileSystem.kind(path)) === undefined) continue;
      bytes = await fileSystem.read(path, WHOLE_FILES.tokenizer);
    } catch (error) {
      notes.push(`${describeError(error)}; it is not copied`);
      continue;
    }
    await write(name, bytes);
  }
  return { names, notes };
}

function writeConfiguration({ config, undecodable }: OpenedModel): string {
  const told = asF32(config!);
  // What could not be decoded is copied as it is stored.
  if (undecodable.size === 0) for (const key of QUANTIZATION_KEYS) delete told[key];
  if (!DTYPE_KEYS.some((key) => key in told)) told[DTYPE_KEYS[0]] = 'float32';
  return `${formatPythonJson(told, '')}\n`;
}

/** A configuration and those of its parts, with F32 as the type of their weights. */
function asF32(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (DTYPE_KEYS.includes(key) && typeof value === 'string') return [key, 'float32'];
      const isPart = key.endsWith('_config') && isObject(value);
      return [key, isPart && !QUANTIZATION_KEYS.includes(key) ? asF32(value) : value];
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON as Python writes it, which has words for infinities; nesting is bounded where it was read. */
function formatPythonJson(value: unknown, indent: string): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return value > 0 ? 'Infinity' : '-Infinity';
  }
  const inner = `${indent}  `;
  const list = (open: string, items: readonly string[], close: string) =>
    items.length === 0
      ? open + close
      : `${open}\n${items.map((item) => inner + item).join(',\n')}\n${indent}${close}`;
  if (Array.isArray(value)) {
    return list(
      '[',
      value.map((each) => formatPythonJson(each, inner)),
      ']',
    );
  }
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)}: ${formatPythonJson(each, inner)}`,
  );
  return list('{', members, '}');
}
