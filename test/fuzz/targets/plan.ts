import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import {
  expertsOf,
  linearsOf,
  listLinears,
  listNorms,
  type LinearPlan,
  type ModelPlan,
  type NormPlan,
} from '../../../src/model/config/plan.js';
import { computeRotaryTables } from '../../../src/model/config/rotary.js';
import { isRouter } from '../../../src/model/forward/block.js';
import { openModel } from '../../../src/model/openModel.js';
import { layOutFile, type TensorEntry } from '../../../src/safetensors/layout.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { textInput, textOf, withPart, type Input } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateJson } from '../mutateJson.js';
import { dtypeOf, headerText, HEADER_WORDS, shapeOf } from '../safetensors.js';
import { BrokenPromise, plainRefusal, promise, refusal, type FuzzTarget } from '../target.js';
import { CONFIG_WORDS, configSeeds } from './config.js';

const CONFIG = 'config.json';
/** Names, types and shapes, of which a file of zeros is made. */
const TENSORS = 'tensors.json';
const FILE = 'model.safetensors';
/** Of which rotary tables are made. */
const POSITIONS = 5;
const MAX_FILE_BYTES = 1 << 20;

function tensorsOf(folder: string): string {
  const lists = readdirSync(folder)
    .filter((name) => /^model.*\.safetensors$/.test(name))
    .map(
      (name) =>
        JSON.parse(headerText(readFileSync(join(folder, name)))!) as Record<string, TensorEntry>,
    );
  const entries = lists.flatMap((list) => Object.entries(list));
  const tensors = entries.filter(([name]) => name !== '__metadata__');
  return JSON.stringify(
    Object.fromEntries(tensors.map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
  );
}

/** A file of zeros with the tensors that a text lists; undefined where they cannot be written. */
function fileOf(text: string): Uint8Array | undefined {
  const tree = parseTree(text);
  const list = tree && (evaluateTree(tree) as Record<string, { dtype?: unknown; shape?: unknown }>);
  if (typeof list !== 'object' || list === null) return undefined;
  const entries = Object.entries(list).map(([name, fields]): TensorEntry => {
    return { name, dtype: dtypeOf(fields?.dtype), shape: shapeOf(fields?.shape) };
  });
  const { head, sizeBytes } = layOutFile(entries, {}, FILE);
  if (sizeBytes > MAX_FILE_BYTES) return undefined;
  const file = new Uint8Array(sizeBytes);
  file.set(head);
  return file;
}

/** No number of a plan is NaN or infinite, wherever it stands. */
function promiseFinite(value: unknown, path: string): void {
  if (typeof value === 'number') promise(Number.isFinite(value), `${path} is ${value}`);
  else if (value instanceof Float32Array) {
    const wrong = value.findIndex((each) => !Number.isFinite(each));
    promise(wrong < 0, `${path}[${wrong}] is ${value[wrong]}`);
  } else if (Array.isArray(value)) {
    value.forEach((each, i) => promiseFinite(each, `${path}[${i}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) promiseFinite(each, `${path}.${key}`);
  } else promise(typeof value !== 'function', `${path} is a function`);
}

function promiseCount(value: number, what: string): void {
  promise(Number.isSafeInteger(value) && value >= 1, `${what} is ${value}`);
}

function promisePlan(plan: ModelPlan, shapes: ReadonlyMap<string, readonly number[]>): void {
  promiseFinite(plan, 'plan');
  const promiseLinear = ({ weight, outputs, inputs, transposed, bias }: LinearPlan) => {
    const wanted = transposed ? [inputs, outputs] : [outputs, inputs];
    promise(shapes.get(weight)?.join() === wanted.join(), `"${weight}" has another shape`);
    promise(
      bias === undefined || shapes.get(bias)?.join() === String(outputs),
      `"${bias}" is wrong`,
    );
  };
  const promiseExpert = (linear: LinearPlan) => {
    const { weight, outputs, inputs, firstRow } = linear;
    if (firstRow === undefined) return promiseLinear(linear);
    const [experts, ...shape] = shapes.get(weight) ?? [];
    promise(shape.join() === [outputs, inputs].join(), `"${weight}" has another shape`);
    promise(firstRow + outputs <= experts * outputs, `"${weight}" ends before its experts`);
  };
  const promiseNorm = ({ epsilon }: NormPlan) => promise(epsilon >= 0, `an epsilon is ${epsilon}`);
  promiseCount(plan.hiddenSize, 'the hidden size');
  promiseCount(plan.vocabularySize, 'the vocabulary');
  promiseCount(plan.maxPositions, 'the positions');
  promiseCount(plan.blocks.length, 'the blocks');
  promise(plan.embedding.scale > 0, 'the embedding is scaled away');
  promise(plan.logitSoftCap >= 0, 'the cap on logits is negative');
  for (const block of plan.blocks) {
    listLinears(block).forEach(promiseLinear);
    listNorms(block).forEach(promiseNorm);
    const { heads, keyValueHeads, headSize, scale, window, softCap } = block.attention;
    for (const count of [heads, keyValueHeads, headSize]) promiseCount(count, 'a count');
    promise(scale > 0, `the factor on q·k is ${scale}`);
    promise(Number.isSafeInteger(window) && window >= 0, `a window is ${window}`);
    promise(softCap >= 0, `a cap is ${softCap}`);
    const { feedForward } = block;
    const parts = isRouter(feedForward) ? feedForward.experts : [feedForward];
    promiseCount(parts.length, 'the experts');
    if (isRouter(feedForward)) {
      promiseCount(feedForward.expertsPerRow, 'the experts of a row');
      promise(feedForward.expertsPerRow <= parts.length, 'a row goes to more than there are');
    }
    for (const part of parts) {
      promiseCount(part.width, 'a width');
      promise(typeof part.activation === 'string', 'the activation has no name');
    }
    expertsOf(block).flatMap(linearsOf).forEach(promiseExpert);
  }
  promiseLinear(plan.head);
  const { rotary } = plan;
  if (!rotary) return;
  promiseCount(rotary.dims, 'what is rotated');
  promise(rotary.frequencies.length === rotary.dims / 2, 'frequencies are missing');
  promise(rotary.factor > 0, `the rotary factor is ${rotary.factor}`);
  const { longAfter, longFrequencies } = rotary;
  if (longAfter !== undefined) promiseCount(longAfter, 'where long windows begin');
  const windows = [POSITIONS, ...(longAfter && longFrequencies ? [longAfter + 1] : [])];
  for (const window of windows) {
    if (longAfter !== undefined && window > longAfter && !longFrequencies) continue;
    promiseFinite(computeRotaryTables(rotary, POSITIONS, window), 'tables');
  }
}

/** config.json of every architecture becomes a plan that can be computed with, or is refused. */
export const plan: FuzzTarget = {
  name: 'plan',
  seeds: (root): Input[] =>
    configSeeds(root).map(({ folder, text }) => [
      ...textInput(CONFIG, text),
      ...textInput(TENSORS, tensorsOf(folder)),
    ]),
  mutate(input, random, pool) {
    const name = random.chance(0.9) ? CONFIG : TENSORS;
    const words = name === CONFIG ? CONFIG_WORDS : HEADER_WORDS;
    const donors = [textOf(random.pick(pool), name)];
    return withPart(input, name, mutateJson(textOf(input, name), random, { words, donors }));
  },
  async check(input) {
    let file: Uint8Array | undefined;
    try {
      file = fileOf(textOf(input, TENSORS));
    } catch (error) {
      return refusal(error, CheckpointError);
    }
    if (!file) return false;
    const parts = [...input.filter(({ name }) => name === CONFIG), { name: FILE, bytes: file }];
    const opened = await openModel(FOLDER, filesOf(parts));
    try {
      const model = await planLanguageModel(opened);
      promisePlan(model.plan, new Map(opened.tensors.map(({ name, shape }) => [name, shape])));
      return true;
    } catch (error) {
      plainRefusal(error);
      const { message } = error as Error;
      if (!/config\.json|model\.safetensors|memory:/.test(message)) {
        throw new BrokenPromise(`the message names no file: ${message}`);
      }
      return false;
    }
  },
};
