import type { KeyReader } from '../../gguf/keyReader.js';
import { quoted } from '../../storage/errors.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** Kinds of tokens, as the GGUF specification numbers them. */
export const TOKEN_TYPE = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** The largest published vocabularies have some 260,000 tokens, and twice as many merges. */
export const MAX_TOKENS = 1 << 20;
export const MAX_MERGES = 1 << 22;
/** Runs of spaces, and the names of control tokens; a few hundred bytes at most. */
export const MAX_TOKEN_BYTES = 4096;

/** The tokens of a GGUF file. */
export interface GgufTokens {
  readonly keys: KeyReader;
  readonly tokens: readonly string[];
  /** Kind of each token. */
  readonly types: ArrayLike<number>;
  /** Id of each token; those without a text are left out, since nothing can become one. */
  readonly vocabulary: ReadonlyMap<string, number>;
}

/**
 * Reads the tokens and their kinds.
 * @throws an Error where the lists are missing, contradict each other, or name a token twice
 */
export function readGgufTokens(keys: KeyReader): GgufTokens {
  const limits = { maxItems: MAX_TOKENS, maxBytes: MAX_TOKEN_BYTES };
  const tokens = keys.texts('tokenizer.ggml.tokens', limits);
  if (!tokens) throw new Error('the key "tokenizer.ggml.tokens" is missing');
  const types = keys.numbers('tokenizer.ggml.token_type', MAX_TOKENS);
  if (!types) {
    throw new Error(
      'the key "tokenizer.ggml.token_type" is missing, without which special tokens are not known',
    );
  }
  checkCount('tokenizer.ggml.token_type', types.length, tokens.length);
  const vocabulary = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (token === '') continue;
    const other = vocabulary.get(token);
    if (other !== undefined) throw new Error(`tokens ${other} and ${id} are both ${quoted(token)}`);
    vocabulary.set(token, id);
  }
  return { keys, tokens, types, vocabulary };
}

/** @throws an Error where a list does not have an item for each token */
export function checkCount(key: string, items: number, tokens: number): void {
  if (items === tokens) return;
  throw new Error(`the key "${key}" has ${items} items for ${tokens} tokens`);
}

/** Kinds of tokens that are found in a text as they stand, before anything is cut. */
const FOUND_FIRST: ReadonlySet<number> = new Set([
  TOKEN_TYPE.unknown,
  TOKEN_TYPE.control,
  TOKEN_TYPE.userDefined,
]);

/**
 * The tokens that are found in a text as they stand, as `tokenizer.json` lists them. A file does not say which
 * of them take the white space beside them: none, unless `takesSpaceBehind` says so.
 */
export function addedTokens(
  { tokens, types }: GgufTokens,
  takesSpaceBehind: (token: string) => boolean = () => false,
): TokenizerDocument[] {
  return tokens.flatMap((content, id) =>
    content !== '' && FOUND_FIRST.has(types[id])
      ? [
          {
            id,
            content,
            special: types[id] !== TOKEN_TYPE.userDefined,
            normalized: false,
            rstrip: takesSpaceBehind(content),
          },
        ]
      : [],
  );
}

/** What llama.cpp takes where a file does not say it. */
export interface SpecialDefaults {
  readonly addBos: boolean;
  readonly bosId?: number;
  readonly eosId?: number;
}

/**
 * What begins and ends a text, as `tokenizer_config.json` has it.
 * @throws an Error where a token is to be added that there is not
 */
export function specialTokenConfiguration(
  { keys, tokens }: GgufTokens,
  defaults: SpecialDefaults,
): TokenizerDocument {
  const adds = {
    bos: keys.flag('tokenizer.ggml.add_bos_token') ?? defaults.addBos,
    eos: keys.flag('tokenizer.ggml.add_eos_token') ?? false,
  };
  const token = (name: 'bos' | 'eos', byDefault: number | undefined): string | undefined => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const id = keys.number(key) ?? byDefault;
    const text = id === undefined ? undefined : tokens[id];
    if (text !== undefined && text !== '') return text;
    if (!adds[name]) return undefined;
    const why = id === undefined ? `the key "${key}" is missing` : `there is no token ${id}`;
    throw new Error(`${name.toUpperCase()} is to be added, but ${why}`);
  };
  return {
    add_bos_token: adds.bos,
    add_eos_token: adds.eos,
    bos_token: token('bos', defaults.bosId),
    eos_token: token('eos', defaults.eosId),
  };
}
