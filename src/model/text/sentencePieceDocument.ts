import { quoted } from '../../storage/errors.js';
import {
  MODEL,
  PIECE,
  readSentencePieceModel,
  type Piece,
  type SentencePieceModel,
} from './sentencePieceModel.js';
import { textOf } from './specialTokens.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** The largest published vocabularies have some 600,000. */
const MAX_MERGES = 1 << 22;

/** SentencePiece's mark of a space. */
const SPACE = '▁';

/** The families whose `tokenizer.model` is read: what their class of `transformers` makes of it is known. */
type Family = 'Llama' | 'Gemma';

const FAMILY_OF_CLASS: ReadonlyMap<unknown, Family> = new Map(
  (['Llama', 'CodeLlama', 'Gemma'] as const).flatMap((name) =>
    ['Tokenizer', 'TokenizerFast'].map((kind) => [name + kind, name === 'Gemma' ? name : 'Llama']),
  ),
);

/** Types of models whose tokenizer is of that class where nothing says so. */
const FAMILY_OF_MODEL: ReadonlyMap<unknown, Family> = new Map([
  ...['llama', 'mistral', 'mixtral', 'phi3'].map((type) => [type, 'Llama'] as const),
  ...['gemma', 'gemma2', 'gemma3', 'gemma3_text'].map((type) => [type, 'Gemma'] as const),
]);

/** The first tokens that Gemma's class puts in the place of the file's; Llama's takes those of the file. */
const FIRST_OF_GEMMA = ['<pad>', '<eos>', '<bos>'];

/** Id of the token for what has none, in each class. */
const UNKNOWN_ID: Readonly<Record<Family, number>> = { Llama: 0, Gemma: 3 };

/** A tokenizer as its two documents have it. */
export interface TokenizerDocuments {
  readonly document: TokenizerDocument;
  readonly configuration: TokenizerDocument;
}

/**
 * The `tokenizer.json` that `transformers` makes of a SentencePiece model: byte pairs whose merges are all ways to
 * make a token of two others, by the scores of what they make (or Unigram, with the same scores).
 * @param bytes `tokenizer.model`
 * @param given `tokenizer_config.json`, over `special_tokens_map.json`
 * @param addedTokens `added_tokens.json`: ids by text
 * @param modelType the model's, which tells the class where the configuration does not
 * @throws an Error where the file is damaged, or would give other ids here than in its original code
 */
export function sentencePieceDocuments(
  bytes: Uint8Array,
  given: TokenizerDocument,
  addedTokens: TokenizerDocument = {},
  modelType?: string,
): TokenizerDocuments {
  const family = familyOf(given, modelType);
  const model = readSentencePieceModel(bytes);
  const { pieces } = model;
  checkPieces(pieces, family);
  const { add_prefix_space: addsSpace = family === 'Llama' } = given;
  if (family === 'Llama' && typeof addsSpace !== 'boolean') {
    throw new Error(
      'tokenizer_config.json: "add_prefix_space" is neither true nor false, which versions of transformers take for different ones',
    );
  }
  refuseOther(model, given.add_prefix_space === undefined && addsSpace !== model.addsSpace);
  const configuration = { tokenizer_class: `${family}Tokenizer`, ...given };
  return {
    configuration,
    document: {
      added_tokens: listAddedTokens(pieces, configuration, addedTokens),
      ...stepsOf(family, addsSpace === true, given.legacy),
      model: modelOf(model, family),
    },
  };
}

function familyOf({ tokenizer_class: given }: TokenizerDocument, modelType?: string): Family {
  const family = given ? FAMILY_OF_CLASS.get(given) : FAMILY_OF_MODEL.get(modelType);
  if (family) return family;
  const whose =
    typeof given === 'string'
      ? `a ${quoted(given)}`
      : `a model of ${modelType === undefined ? 'unknown type' : `type ${quoted(modelType)}`}`;
  throw new Error(
    `the SentencePiece models of Llama's and Gemma's tokenizers are read, this is that of ${whose}: save it as tokenizer.json`,
  );
}

/** @throws an Error where a piece is there twice, or the first are not what their class takes them for */
function checkPieces(pieces: readonly Piece[], family: Family): void {
  const ids = new Map<string, number>();
  for (const [id, { text }] of pieces.entries()) {
    const other = ids.get(text);
    if (other !== undefined) throw new Error(`pieces ${other} and ${id} are both ${quoted(text)}`);
    ids.set(text, id);
  }
  for (const [id, expected] of family === 'Gemma' ? FIRST_OF_GEMMA.entries() : []) {
    const { text = 'missing' } = pieces[id] ?? {};
    if (text === expected) continue;
    throw new Error(
      `piece ${id} is ${quoted(text)}, where Gemma's tokenizers have ${quoted(expected)}`,
    );
  }
  const unknown = UNKNOWN_ID[family];
  if (pieces[unknown]?.kind !== PIECE.unknown) {
    throw new Error(
      `piece ${unknown} is not the unknown token, as it is in ${family}'s tokenizers`,
    );
  }
}

/**
 * The class's own steps take the place of the file's; where the two differ, the model was trained on other ids.
 * @throws an Error that names the setting
 */
function refuseOther(model: SentencePieceModel, spaceDiffers: boolean): void {
  const { modelType, hasCharacterMap, removesSpaces, marksSpaceBehind } = model;
  const refuse = (setting: string) => {
    throw new Error(
      `its ${setting}, which its class ignores: save the tokenizer as tokenizer.json`,
    );
  };
  if (modelType !== MODEL.bytePairs && modelType !== MODEL.unigram) {
    throw new Error(`its model_type is ${modelType}, where BPE (2) and Unigram (1) are read`);
  }
  if (hasCharacterMap) refuse('precompiled_charsmap changes characters');
  if (removesSpaces) refuse('remove_extra_whitespaces joins spaces');
  if (marksSpaceBehind) refuse('treat_whitespace_as_suffix marks spaces behind words');
  if (spaceDiffers) refuse(`add_dummy_prefix is ${model.addsSpace}`);
}

/** Tokens that are found in a text as they stand: the configuration's word goes before the file's. */
function listAddedTokens(
  pieces: readonly Piece[],
  { added_tokens_decoder: decoder, ...configuration }: TokenizerDocument,
  addedTokens: TokenizerDocument,
): TokenizerDocument[] {
  const tokens = new Map<string, TokenizerDocument>();
  for (const [id, { text, kind }] of pieces.entries()) {
    const isFound = kind === PIECE.unknown || kind === PIECE.control || kind === PIECE.userDefined;
    if (!isFound) continue;
    const special = kind !== PIECE.userDefined;
    tokens.set(text, { id, content: text, special, normalized: false });
  }
  const isListed = typeof decoder === 'object' && decoder !== null && !Array.isArray(decoder);
  const specials = new Set(
    Object.entries(configuration).map(([key, value]) => key.endsWith('_token') && textOf(value)),
  );
  // A configuration that lists tokens takes the place of the older file.
  for (const [content, id] of isListed ? [] : Object.entries(addedTokens)) {
    const special = specials.has(content);
    tokens.set(content, { id, content, special, normalized: !special });
  }
  if (isListed) {
    for (const [id, token] of Object.entries(decoder as Record<string, unknown>)) {
      const fields = (token ?? {}) as TokenizerDocument;
      if (typeof fields.content === 'string') {
        tokens.set(fields.content, { ...fields, id: Number(id) });
      }
    }
  }
  // Their ids are their places behind the vocabulary.
  return [...tokens.values()].sort((a, b) => Number(a.id) - Number(b.id));
}

/** How a text becomes the words of the model, by class and by Llama's "legacy". */
function stepsOf(family: Family, addsSpace: boolean, legacy: unknown): TokenizerDocument {
  const marked = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  if (family === 'Gemma') return { normalizer: marked };
  if (legacy === false) {
    const scheme = addsSpace ? 'first' : 'never';
    return {
      pre_tokenizer: {
        type: 'Metaspace',
        replacement: SPACE,
        prepend_scheme: scheme,
        split: false,
      },
    };
  }
  const normalizers = addsSpace ? [{ type: 'Prepend', prepend: SPACE }, marked] : [marked];
  return { normalizer: { type: 'Sequence', normalizers } };
}

function modelOf(
  { pieces, modelType, unknownPiece }: SentencePieceModel,
  family: Family,
): TokenizerDocument {
  // What the class puts in the place of the first three has no score.
  const scored = pieces.map(({ text, score }, id): [string, number] => [text, id < 3 ? 0 : score]);
  const tab = scored.findIndex(([text]) => text === '<0x09>');
  if (family === 'Gemma' && tab >= 0 && !scored.some(([text]) => text === '\t')) {
    scored[tab] = ['\t', 0];
  }
  if (modelType === MODEL.unigram) {
    return { type: 'Unigram', vocab: scored, unk_id: UNKNOWN_ID[family], byte_fallback: true };
  }
  return {
    type: 'BPE',
    vocab: Object.fromEntries(scored.map(([text], id) => [text, id])),
    merges: listMerges(scored),
    unk_token: unknownPiece,
    fuse_unk: true,
    byte_fallback: true,
  };
}

/**
 * All pairs of tokens that make another, best score first; of equal scores those with the longer left part, then
 * the longer right part, and then in the order of ids.
 */
function listMerges(scored: readonly (readonly [string, number])[]): [string, string][] {
  const ids = new Map(scored.map(([text], id) => [text, id]));
  const merges: { pair: [string, string]; score: number; left: number; right: number }[] = [];
  for (const [text, score] of scored) {
    const ways: { pair: [string, string]; left: number; right: number }[] = [];
    const characters = Array.from(text);
    for (let left = 1, at = 0; left < characters.length; left++) {
      at += characters[left - 1].length;
      const pair: [string, string] = [text.slice(0, at), text.slice(at)];
      if (pair.every((part) => ids.has(part))) {
        ways.push({ pair, left, right: characters.length - left });
      }
    }
    const idOf = ({ pair }: { readonly pair: [string, string] }, side: 0 | 1) =>
      ids.get(pair[side])!;
    ways.sort((a, b) => idOf(a, 0) - idOf(b, 0) || idOf(a, 1) - idOf(b, 1));
    for (const way of ways) merges.push({ ...way, score });
    if (merges.length > MAX_MERGES) throw new Error(`its pieces have over ${MAX_MERGES} merges`);
  }
  merges.sort((a, b) => b.score - a.score || b.left - a.left || b.right - a.right);
  return merges.map(({ pair }) => pair);
}
