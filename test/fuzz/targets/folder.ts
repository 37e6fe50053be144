import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenedModel } from '../../../src/checkpoint/types.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { summarizeModel } from '../../../src/jobs/summarizeModel.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { bytesOf, textOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateJson } from '../mutateJson.js';
import type { Random } from '../random.js';
import { mutateFile, smallFile } from '../safetensors.js';
import { plainRefusal, promise, promiseOneLine, refusal, type FuzzTarget } from '../target.js';
import { CONFIG_WORDS } from './config.js';
import { INDEX_WORDS } from './shardIndex.js';

const MODELS = ['llama-sharded-linear', 'gpt2', 'qwen3-tied'];
const INDEX = 'model.safetensors.index.json';
const CONFIG = 'config.json';
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const TENSORS = 7;

/** Shards of a few tensors each, and the index that belongs to them. */
function seedOf(root: string, model: string): Input {
  const folder = join(root, 'test/fixtures/golden-models', model);
  const isSharded = model.includes('sharded');
  const files = isSharded ? SHARDS : ['model.safetensors'];
  const shards = files.map((name) => ({ name, bytes: smallFile(join(folder, name), TENSORS) }));
  const config = { name: CONFIG, bytes: readFileSync(join(folder, CONFIG)) as Uint8Array };
  if (!isSharded) return [config, ...shards];
  return [config, { name: INDEX, bytes: readFileSync(join(folder, INDEX)) }, ...shards];
}

function mutatePart(input: Input, name: string, random: Random, donor: Input): Input {
  const bytes = bytesOf(input, name);
  if (name.endsWith('.safetensors')) {
    const other = donor.find((part) => part.name.endsWith('.safetensors'));
    return withPart(input, name, mutateFile(bytes, random, other?.bytes ?? bytes));
  }
  const words = name === INDEX ? INDEX_WORDS : CONFIG_WORDS;
  return withPart(
    input,
    name,
    mutateJson(textOf(input, name), random, { words, donors: [textOf(donor, name)] }),
  );
}

/** What holds for every model that opens. */
function promiseModel(model: OpenedModel, input: Input): void {
  const files = new Map(model.files.map((file) => [file.name, file]));
  const names = new Set<string>();
  for (const tensor of model.tensors) {
    const { name, file, bytes, layer, nameInLayer, storage } = tensor;
    // What is decoded from several tensors has no place of its own.
    const offset = storage ? 8 : tensor.offset;
    const size = files.get(file)?.sizeBytes;
    promise(size !== undefined, `"${name}" lies in "${file}", which is not among the files`);
    promise(size === bytesOf(input, file).length, `"${file}" has another size`);
    promise(offset >= 8 && bytes >= 0 && offset + bytes <= size, `"${name}" leaves its file`);
    promise(!names.has(name), `"${name}" stands there twice`);
    promise(
      name.endsWith(layer === '' ? nameInLayer : `${layer}.${nameInLayer}`),
      `"${name}" is called otherwise`,
    );
    names.add(name);
  }
  for (const { message } of [...model.problems, ...model.notes]) promiseOneLine(message);
  const report = describeModel(model);
  const layered = report.tensors.filter(({ layer }) => layer !== '').length;
  const inLayers = report.layers.reduce((sum, { tensors }) => sum + tensors, 0);
  promise(layered === inLayers, `the layers have ${inLayers} of ${layered} tensors`);
  JSON.stringify([report, summarizeModel(model, model.tensors)]);
}

/** A model folder as a whole: configuration, index and shards, each damaged alone or together. */
export const folder: FuzzTarget = {
  name: 'folder',
  seeds: (root) => MODELS.map((model) => seedOf(root, model)),
  mutate(input, random, pool) {
    if (input.length > 1 && random.chance(0.02)) {
      const lost = random.pick(input);
      return input.filter((part) => part !== lost);
    }
    let changed = input;
    for (let count = 1 + random.length(3); count > 0; count--) {
      changed = mutatePart(changed, random.pick(changed).name, random, random.pick(pool));
    }
    return changed;
  },
  async check(input) {
    let model: OpenedModel;
    try {
      model = await openModel(FOLDER, filesOf(input));
    } catch (error) {
      return refusal(error, CheckpointError);
    }
    promiseModel(model, input);
    try {
      await planLanguageModel(model);
    } catch (error) {
      plainRefusal(error);
    }
    return true;
  },
};
