// Golden models as a user would have them: with a tokenizer and a text.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './checkpoints.js';
import { readRawSafetensors } from './rawSafetensors.js';

const GOLDEN = new URL('../fixtures/golden-models/', import.meta.url);

interface Configuration {
  readonly vocab_size: number;
  /** Of learned positions, whose number is a matter of the weights. */
  readonly n_positions?: number;
}

/**
 * Copies a golden model, with a tokenizer that has a word for each id and a text of one window: the ids that
 * the model's golden numbers are of, again from the first where the window is longer.
 * @param name of the model's folder
 * @param folder is made, and must not be there
 * @returns mean negative log-likelihood of the text by the original code of the model; undefined where the
 *   window is longer
 */
export function copyWithText(name: string, folder: string): number | undefined {
  const source = new URL(`${name}/`, GOLDEN);
  mkdirSync(folder, { recursive: true });
  cpSync(source, folder, { recursive: true });
  const read = <Data>(file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Data;
  const { nll } = read<{ nll: number }>('manifest.json');
  const configuration = read<Configuration>('config.json');
  // No model is one of these; the editor would list them beside it.
  for (const file of ['reference.safetensors', 'manifest.json']) rmSync(join(folder, file));

  const ids = readRawSafetensors(new URL('reference.safetensors', source)).get('input_ids')!;
  const golden = Array.from(new BigInt64Array(ids.bytes.buffer), Number);
  const positions = configuration.n_positions ?? golden.length;
  const words = Array.from({ length: positions }, (_, i) => `t${golden[i % golden.length]}`);
  const vocabulary = Array.from({ length: configuration.vocab_size }, (_, id) => [`t${id}`, id]);
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: Object.fromEntries(vocabulary) as object, unk_token: 't0' },
  };
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
  // Windows are as long as the model's positions; rotary ones are the same whatever their number.
  const ofText = {
    ...configuration,
    ...(configuration.n_positions ? {} : { max_position_embeddings: positions }),
  };
  write('config.json', JSON.stringify(ofText));
  write('tokenizer.json', JSON.stringify(tokenizer));
  write('eval.txt', words.join(' '));
  return positions === golden.length ? nll : undefined;
}

/** Words of the tokenizer that golden models have here. */
export function wordsOfModels(count: number, seed: number): string[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return `t${(state >>> 16) % 128}`;
  });
}

/** Folder of a small model with a text to score and another to calibrate on. */
export async function calibratableModel(name = 'llama-gqa-llama3rope'): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  copyWithText(name, folder);
  writeFileSync(join(folder, 'calibration.txt'), wordsOfModels(400, 5).join(' '));
  return folder;
}
