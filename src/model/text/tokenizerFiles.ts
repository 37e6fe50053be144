import { containerOf } from '../../checkpoint/containers.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import { visible, type Remedy } from '../../storage/errors.js';
import { withSource, type FileSystem } from '../../storage/fileSystem.js';
import { WHOLE_FILES, type SizeLimit } from '../../storage/wholeFiles.js';
import type { TokenizerContents, TokenizerFile } from './tokenizerApi.js';

/** A text cannot be tokenized by what the model folder holds; one line. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
  /** Ids from elsewhere need none. */
  readonly remedy: Remedy = 'token-ids';
}

/** Tokenizers in other files, which are named where they are all there is. */
const OTHER_TOKENIZERS = [
  'spiece.model',
  'sentencepiece.bpe.model',
  'tiktoken.model',
  'vocab.json',
  'merges.txt',
];

type SideFile = Exclude<TokenizerFile, 'header'>;

const FILES: Readonly<Record<SideFile, string>> = {
  tokenizer: 'tokenizer.json',
  configuration: 'tokenizer_config.json',
  specialTokens: 'special_tokens_map.json',
  addedTokens: 'added_tokens.json',
  vocabulary: 'vocab.json',
  merges: 'merges.txt',
  tekken: 'tekken.json',
  sentencePiece: 'tokenizer.model',
  wordPieces: 'vocab.txt',
};

const LIMITS: Readonly<Record<SideFile, SizeLimit>> = {
  tokenizer: WHOLE_FILES.tokenizer,
  configuration: WHOLE_FILES.tokenizerConfiguration,
  specialTokens: WHOLE_FILES.specialTokens,
  addedTokens: WHOLE_FILES.specialTokens,
  vocabulary: WHOLE_FILES.vocabulary,
  merges: WHOLE_FILES.merges,
  tekken: WHOLE_FILES.tokenizer,
  sentencePiece: WHOLE_FILES.tokenizer,
  wordPieces: WHOLE_FILES.vocabulary,
};

/** What tokenizers are made of, and what configures them; the first kind that is there is taken. */
const KINDS: readonly {
  readonly made: readonly SideFile[];
  readonly beside: readonly SideFile[];
}[] = [
  { made: ['tokenizer'], beside: ['configuration', 'specialTokens'] },
  { made: ['vocabulary', 'merges'], beside: ['configuration', 'specialTokens'] },
  { made: ['tekken'], beside: [] },
  { made: ['sentencePiece'], beside: ['configuration', 'specialTokens', 'addedTokens'] },
  { made: ['wordPieces'], beside: ['configuration', 'specialTokens'] },
];

/** Where added tokens stand in another file, and cannot be read. */
const REFUSE_ADDED: ReadonlySet<SideFile> = new Set(['vocabulary', 'wordPieces']);

/** What a tokenizer is made of: where its files are, and what those that are there hold. */
export interface TokenizerFiles {
  /** The one that errors without a place of their own name. */
  readonly main: string;
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
    if (header) return { main: path, files: { header: path }, contents: { header } };
  }
  return undefined;
}

/**
 * Reads the files of a tokenizer, of the first of {@link KINDS} that is there, and what configures it.
 * @throws TokenizerError that names what is missing, and what is there instead
 */
export async function readTokenizerFiles(
  folder: string,
  fileSystem: FileSystem,
  modelType?: string,
): Promise<TokenizerFiles> {
  const pathOf = (name: string) => fileSystem.join(folder, name);
  // True where something is, which is then read, or refused as no file.
  const isThere = async (name: string) => (await fileSystem.kind(pathOf(name))) !== undefined;
  const areThere = async (names: readonly SideFile[]) => {
    for (const file of names) if (!(await isThere(FILES[file]))) return false;
    return true;
  };
  let kind;
  for (const each of KINDS) if (!kind && (await areThere(each.made))) kind = each;
  if (!kind) {
    const present = [];
    for (const other of OTHER_TOKENIZERS) if (await isThere(other)) present.push(other);
    const cannot =
      present.length > 0
        ? ` (${present.join(', ')} alone cannot be read: save the tokenizer as tokenizer.json)`
        : '';
    throw new TokenizerError(
      `${visible(pathOf(FILES.tokenizer))}: there is no such file, and a text cannot be tokenized without it${cannot}`,
    );
  }
  const [main] = kind.made;
  if (REFUSE_ADDED.has(main) && (await isThere(FILES.addedTokens))) {
    const names = kind.made.map((file) => FILES[file]).join(' and ');
    throw new TokenizerError(
      `${visible(pathOf(FILES.addedTokens))}: added tokens beside ${names} are not read; save the tokenizer as tokenizer.json`,
    );
  }
  const files: Partial<Record<TokenizerFile, string>> = {};
  const contents: Partial<Record<TokenizerFile, Uint8Array>> = {};
  for (const file of [...kind.made, ...kind.beside]) {
    files[file] = pathOf(FILES[file]);
    if (kind.beside.includes(file) && !(await isThere(FILES[file]))) continue;
    contents[file] = await fileSystem.read(files[file], LIMITS[file]);
  }
  return { main: files[main]!, files, contents: { ...contents, modelType } };
}
