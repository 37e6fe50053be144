import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { quoted, visible } from '../../storage/errors.js';
import { withSource } from '../../storage/fileSystem.js';
import type { LanguageModel } from '../evaluation/types.js';
import { ARCHITECTURES, findArchitecture } from './architectures/index.js';
import { Configuration } from './configuration.js';
import type { ModelPlan } from './plan.js';
import { textConfigOf, type TextConfig } from './textConfig.js';
import { noteUnusedTensors } from './unusedTensors.js';

const COMPARED_BYTES = 4 << 20;
const WHAT_STILL_WORKS =
  'viewing, quantizing and comparing weights work without it; perplexity does not';

/**
 * Lays out how an opened model runs. Reads no weights, unless tied ones are stored twice.
 * @throws an error of one line: no config.json, an unknown architecture (named), a missing or
 *   misshapen tensor, a setting that is not supported
 */
export async function planLanguageModel(opened: OpenedModel): Promise<LanguageModel> {
  const { config, configProblem, configuration, folder, path, problems, absent } = opened;
  const { loneShard, adapter } = opened;
  const configPath = configuration ? path : `${folder}/config.json`;
  if (adapter !== undefined) {
    throw new Error(`${adapter}: perplexity is measured of the whole model`);
  }
  if (configProblem !== undefined) throw new Error(configProblem);
  if (!config) {
    throw new Error(
      `${visible(folder)}: there is no config.json, which says what model this is${await findOtherDescription(opened)}; ${WHAT_STILL_WORKS}`,
    );
  }
  const text = textConfigOf(config);
  const architecture = findArchitecture(text.fields.model_type);
  if (!architecture) {
    const known = ARCHITECTURES.map(({ modelType }) => modelType).join(', ');
    throw new Error(
      `${visible(configPath)}: ${describeUnknown(text)} (known: ${known}); ${WHAT_STILL_WORKS}`,
    );
  }
  const incomplete = loneShard ?? problems[0]?.message;
  const refuseIncomplete = (cause?: unknown) =>
    new Error(
      `${incomplete}; an incomplete model cannot be run${cause instanceof Error ? `: ${cause.message}` : ''}`,
      { cause },
    );
  if (loneShard !== undefined || !absent) throw refuseIncomplete();
  // A class of its own leaves out of an object within what is its default.
  const fields = text.section
    ? { ...architecture.defaults, ...withoutUndefined(text.fields) }
    : config;
  const file = text.section ? `${configPath}: "${text.section}"` : configPath;
  let plan: ModelPlan;
  try {
    plan = architecture.plan(new Configuration(fields, file), opened);
  } catch (error) {
    if (incomplete !== undefined) throw refuseIncomplete(error);
    throw error;
  }
  const notes = [...plan.notes, ...noteUnusedTensors(plan, opened.tensors)];
  const { tiedTwin, head, embedding } = plan;
  if (tiedTwin === undefined || !(await differ(opened, tiedTwin, head.weight))) {
    return { opened, plan: { ...plan, notes } };
  }
  notes.push(
    `"${tiedTwin}" and "${head.weight}" are tied by config.json but stored with different values: each is used as it is stored.`,
  );
  const untied = { ...plan, embedding: { ...embedding, tokens: tiedTwin }, tiedTwin: undefined };
  return { opened, plan: { ...untied, notes } };
}

function withoutUndefined(fields: TextConfig['fields']): TextConfig['fields'] {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function describeUnknown({ fields, section }: TextConfig): string {
  const { model_type: modelType } = fields;
  const within = section ? `of "${section}" ` : '';
  return typeof modelType === 'string'
    ? `model_type ${quoted(modelType)} ${within}is not an architecture that can be run`
    : `"model_type" ${within}is missing`;
}

/** Files that describe a model in other ways, and whose they are. */
const OTHER_DESCRIPTIONS: readonly (readonly [name: string, whose: string])[] = [
  ['params.json', "params.json describes it in Mistral's and Meta's own way"],
  [
    'model_index.json',
    'model_index.json describes a pipeline of several models, each in its folder',
  ],
  ['nemo_config.yaml', "nemo_config.yaml describes it in NeMo's way"],
];

/** Names what describes a model without config.json. */
async function findOtherDescription({ folder, fileSystem }: OpenedModel): Promise<string> {
  for (const [name, whose] of OTHER_DESCRIPTIONS) {
    const found = await fileSystem.kind(fileSystem.join(folder, name)).catch(() => undefined);
    if (found === 'file') return ` (${whose}, which is not read)`;
  }
  return '';
}

/** True where two tensors of a model do not have the same bytes. */
async function differ(opened: OpenedModel, first: string, second: string): Promise<boolean> {
  const [a, b] = [first, second].map((name) =>
    opened.tensors.find((tensor) => tensor.name === name),
  );
  if (!a || !b || a.dtype !== b.dtype || a.bytes !== b.bytes) return true;
  // What is stored in parts has no bytes of its own in the file; using each as stored is right anyway.
  if (a.storage ?? b.storage) return true;
  return withTensor(opened, a, (readA) =>
    withTensor(opened, b, async (readB) => {
      for (let done = 0; done < a.bytes; done += COMPARED_BYTES) {
        const length = Math.min(COMPARED_BYTES, a.bytes - done);
        const [left, right] = await Promise.all([readA(done, length), readB(done, length)]);
        if (left.some((byte, i) => byte !== right[i])) return true;
      }
      return false;
    }),
  );
}

/** Lets `use` read pieces of a tensor's bytes, counted from its first. */
async function withTensor<Result>(
  { files, fileSystem }: OpenedModel,
  tensor: ModelTensor,
  use: (read: (from: number, length: number) => Promise<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const { path } = files.find(({ name }) => name === tensor.file)!;
  return withSource(fileSystem, path, (source) =>
    use(async (from, length) => {
      const bytes = new Uint8Array(length);
      await source.read(tensor.offset + from, bytes);
      return bytes;
    }),
  );
}
