import { readConfigFile } from '../checkpoint/configFile.js';
import { MAX_NAME_CHARACTERS } from '../checkpoint/longNames.js';
import type { FreshCheckpoint } from '../checkpoint/types.js';
import { quoted, visible } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { forEachInSteps, type Steps } from '../storage/slices.js';

/** What PEFT calls the kinds of adapters, and what people do. */
const PEFT_KINDS: ReadonlyMap<unknown, string> = new Map([
  ['LORA', 'LoRA'],
  ['ADALORA', 'AdaLoRA'],
  ['LOHA', 'LoHa'],
  ['LOKR', 'LoKr'],
  ['OFT', 'OFT'],
  ['BOFT', 'BOFT'],
  ['IA3', 'IA3'],
  ['VERA', 'VeRA'],
  ['PROMPT_TUNING', 'prompt tuning'],
  ['PREFIX_TUNING', 'prefix tuning'],
  ['P_TUNING', 'p-tuning'],
]);

/** Parts of names, between dots, in which adapters store their factors: of PEFT, diffusers, kohya, LyCORIS. */
const FACTORS: ReadonlyMap<string, string> = new Map([
  ...['lora_A', 'lora_B', 'lora_E', 'lora_down', 'lora_up', 'lora_mid'].map(
    (part) => [part, 'LoRA'] as const,
  ),
  ...['lora_embedding_A', 'lora_embedding_B', 'lora_magnitude_vector', 'dora_scale', 'lora'].map(
    (part) => [part, 'LoRA'] as const,
  ),
  ...['lokr_w1', 'lokr_w1_a', 'lokr_w1_b', 'lokr_w2', 'lokr_w2_a', 'lokr_w2_b', 'lokr_t2'].map(
    (part) => [part, 'LoKr'] as const,
  ),
  ...['hada_w1_a', 'hada_w1_b', 'hada_w2_a', 'hada_w2_b', 'hada_t1', 'hada_t2'].map(
    (part) => [part, 'LoHa'] as const,
  ),
  ...['oft_R', 'oft_S', 'oft_diag', 'oft_blocks'].map((part) => [part, 'OFT'] as const),
  ...['ia3_l'].map((part) => [part, 'IA3'] as const),
  ...['vera_lambda_b', 'vera_lambda_d'].map((part) => [part, 'VeRA'] as const),
  ...['prompt_embeddings'].map((part) => [part, 'prompt tuning'] as const),
]);

/** Stands beside factors, and says what to multiply them by. */
const SCALES = new Set(['alpha', 'scale']);

/** Tools that write no configuration say in the metadata what it is added to, and how. */
const METADATA = { rank: 'ss_network_dim', base: ['ss_base_model_version', 'ss_sd_model_name'] };

/**
 * Says that a checkpoint is an adapter, an addition to the weights of another model.
 * @param kind what its tensors are, by {@link recognizeAdapter}
 * @returns one line that begins with the file
 */
export async function describeAdapter(
  { files, folder, path, metadata }: FreshCheckpoint,
  kind: string,
  fileSystem: FileSystem,
): Promise<string> {
  const [{ name: file }] = files;
  // Other files may lie beside those that the configuration is about.
  const { config = {} } = file.startsWith('adapter_model')
    ? await readConfigFile(folder, fileSystem, 'adapter_config.json')
    : {};
  const rank = config.r ?? metadata[METADATA.rank];
  const base =
    config.base_model_name_or_path ?? METADATA.base.map((key) => metadata[key]).find(Boolean);
  const name = PEFT_KINDS.get(config.peft_type) ?? kind;
  const digits = typeof rank === 'number' || typeof rank === 'string' ? `${rank}` : '';
  const size = /^[1-9][0-9]{0,5}$/.test(digits) ? ` of rank ${digits}` : '';
  const on = typeof base === 'string' && base !== '' ? ` (${quoted(base)})` : '';
  return (
    `${visible(path)}: this is ${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name} adapter${size}, ` +
    `an addition to the weights of another model${on}, and not a model by itself`
  );
}

/** The first part of a name that is in {@link FACTORS}. */
const FACTOR = new RegExp(`(?:^|\\.)(${[...FACTORS.keys()].join('|')})(?:\\.|$)`);

/** What kind of adapter tensors are the factors of; undefined where they are not most of a checkpoint. */
export function* recognizeAdapter(
  tensors: readonly { readonly name: string }[],
): Steps<string | undefined> {
  const counts = new Map<string, number>();
  let others = 0;
  yield* forEachInSteps(tensors, ({ name }) => {
    // Mostly it is known after half of the tensors that this is no adapter.
    if (2 * others >= tensors.length) return;
    const factor = name.length > MAX_NAME_CHARACTERS ? null : FACTOR.exec(name);
    if (factor) {
      const kind = FACTORS.get(factor[1])!;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    } else if (!SCALES.has(name.slice(name.lastIndexOf('.') + 1))) others++;
  });
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most && 2 * others < tensors.length ? most[0] : undefined;
}
