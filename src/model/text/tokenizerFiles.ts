import { containerOf } from '../../checkpoint/containers.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import { visible, type Remedy } from '../../storage/errors.js';
import { withSource, type FileSystem } from '../../storage/fileSystem.js';
import { WHOLE_FILES } from '../../storage/wholeFiles.js';
import type { TokenizerContents, TokenizerFile } from './tokenizerApi.js';

/** A text cannot be tokenized by what the model folder holds; one line. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
  /** Ids from elsewhere need none. */
  readonly remedy: Remedy = 'token-ids';
}

/** Tokenizers in other files, which are named where they are all there is. */
const OTHER_TOKENIZERS = [
  'tekken.json',
  'tokenizer.model',
  'spiece.model',
  'sentencepiece.bpe.model',
  'tiktoken.model',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
];

const FILES: Readonly<Record<Exclude<TokenizerFile, 'header'>, string>> = {
  tokenizer: 'tokenizer.json',
  configuration: 'tokenizer_config.json',
  specialTokens: 'special_tokens_map.json',
  vocabulary: 'vocab.json',
  merges: 'merges.txt',
};

const LIMITS = {
  tokenizer: WHOLE_FILES.tokenizer,
  configuration: WHOLE_FILES.tokenizerConfiguration,
  specialTokens: WHOLE_FILES.specialTokens,
  vocabulary: WHOLE_FILES.vocabulary,
  merges: WHOLE_FILES.merges,
};

/** What a tokenizer is made of: where its files are, and what those that are there hold. */
export interface TokenizerFiles {
  readonly files: Readonly<Partial<Record<TokenizerFile, string>>>;
  readonly contents: TokenizerContents;
}

/**
 * The part of the weights' files that carries a vocabulary (GGUF).
 * @returns undefined where none does
 * @throws CheckpointError
 */
export async function readHeaderTokenizer(
  { files, fileSystem }: Pick<OpenedModel, 'files' | 'fileSystem'>,
  signal?: AbortSignal,
): Promise<TokenizerFiles | undefined> {
  for (const { name, path } of files) {
    const container = containerOf(name)?.container;
    if (!container?.readTokenizer) continue;
    const header = await withSource(fileSystem, path, (source) =>
      container.readTokenizer!(source, name, { signal }),
    );
    if (header) return { files: { header: path }, contents: { header } };
  }
  return undefined;
}

/**
 * Reads the files of a tokenizer: `tokenizer.json`, or GPT-2's `vocab.json` and `merges.txt`, and what
 * configures them.
 * @throws TokenizerError that names what is missing, and what is there instead
 */
export async function readTokenizerFiles(
  folder: string,
  fileSystem: FileSystem,
  modelType?: string,
): Promise<TokenizerFiles> {
  // True where something is, which is then read, or refused as no file.
  const isThere = async (name: string) =>
    (await fileSystem.kind(fileSystem.join(folder, name))) !== undefined;
  const files = Object.fromEntries(
    Object.entries(FILES).map(([file, name]) => [file, fileSystem.join(folder, name)]),
  ) as Record<keyof typeof FILES, string>;
  const read = (file: keyof typeof FILES) => fileSystem.read(files[file], LIMITS[file]);
  const readIfThere = async (file: keyof typeof FILES) =>
    (await isThere(FILES[file])) ? await read(file) : undefined;

  const hasTokenizer = await isThere(FILES.tokenizer);
  const isInTwo =
    !hasTokenizer && (await isThere(FILES.vocabulary)) && (await isThere(FILES.merges));
  if (!hasTokenizer && !isInTwo) {
    const present = [];
    for (const other of OTHER_TOKENIZERS) if (await isThere(other)) present.push(other);
    const cannot =
      present.length > 0
        ? ` (${present.join(', ')} alone cannot be read: save the tokenizer as tokenizer.json)`
        : '';
    throw new TokenizerError(
      `${visible(files.tokenizer)}: there is no such file, and a text cannot be tokenized without it${cannot}`,
    );
  }
  if (isInTwo && (await isThere('added_tokens.json'))) {
    throw new TokenizerError(
      `${visible(fileSystem.join(folder, 'added_tokens.json'))}: added tokens beside vocab.json and merges.txt are not read; save the tokenizer as tokenizer.json`,
    );
  }
  const configured = {
    configuration: await readIfThere('configuration'),
    specialTokens: await readIfThere('specialTokens'),
  };
  const contents: TokenizerContents = hasTokenizer
    ? { ...configured, tokenizer: await read('tokenizer') }
    : {
        ...configured,
        vocabulary: await read('vocabulary'),
        merges: await read('merges'),
        modelType,
      };
  return { files, contents };
}
