import { quoted } from '../../storage/errors.js';
import { checkTokenId } from './tokenIds.js';

/** A parsed `tokenizer.json` or `tokenizer_config.json`: anything may be missing. */
export type TokenizerDocument = Readonly<Record<string, unknown>>;

const MODEL_TYPES: ReadonlySet<string> = new Set(['BPE', 'Unigram', 'WordLevel', 'WordPiece']);

/** Steps within steps; real tokenizers have two or three. */
const MAX_DEPTH = 16;

/** Lists of further steps within a step, by the name of the list. */
const STEP_LISTS = ['normalizers', 'pretokenizers', 'processors', 'decoders'];

/**
 * Checks that a parsed `tokenizer.json` has the form that its library takes for granted: the parts it
 * has, and of what type their contents are. Whether they make sense together is the library's to say.
 * @throws an Error that names the place
 */
export function checkTokenizerDocument(document: unknown): asserts document is TokenizerDocument {
  const parts = requireObject(document, 'the text');
  checkModel(requireObject(parts.model, '"model"'));
  for (const [index, token] of requireList(parts.added_tokens ?? [], '"added_tokens"').entries()) {
    const place = `"added_tokens", entry ${index + 1}`;
    const { content, id } = requireObject(token, place);
    requireText(content, `${place}: "content"`);
    if (content === '') throw new Error(`${place}: "content" is empty`);
    checkTokenId(id, content);
  }
  for (const name of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    checkStep(parts[name], `"${name}"`, 0);
  }
}

function checkModel({ type, vocab, merges, unk_token, unk_id }: TokenizerDocument): void {
  if (type !== undefined) {
    requireText(type, '"model": "type"');
    // The library guesses at others by what they hold.
    if (vocab === undefined && !MODEL_TYPES.has(type)) {
      throw new Error(`"model": its type ${quoted(type)} is not known`);
    }
  }
  if (Array.isArray(vocab)) {
    for (const [index, entry] of (vocab as unknown[]).entries()) {
      if (isPair(entry) && typeof entry[0] === 'string' && Number.isFinite(entry[1])) continue;
      throw new Error(`"model": "vocab", entry ${index + 1} is not a token and its score`);
    }
  } else {
    const ids = requireObject(vocab, '"model": "vocab"');
    for (const token in ids) checkTokenId(ids[token], token);
  }
  if (type === 'BPE' || merges !== undefined) {
    // That each is a pair, the encoder checks on its way through them.
    requireList(merges, '"model": "merges"');
  }
  if ((unk_token ?? undefined) !== undefined) requireText(unk_token, '"model": "unk_token"');
  if (Array.isArray(vocab) && (unk_id ?? undefined) !== undefined) {
    const id = checkTokenId(unk_id, 'unk_id');
    if (id >= vocab.length) throw new Error(`"model": its "unk_id" ${id} has no token`);
  }
}

/** A step of the way from text to tokens or back, and the steps within it. */
function checkStep(step: unknown, place: string, depth: number): void {
  if (step === undefined || step === null) return;
  if (depth > MAX_DEPTH) throw new Error(`${place}: steps are nested more than ${MAX_DEPTH} deep`);
  const fields = requireObject(step, place);
  requireText(fields.type, `${place}: "type"`);
  for (const name of STEP_LISTS) {
    if (fields[name] === undefined) continue;
    for (const [index, inner] of requireList(fields[name], `${place}: "${name}"`).entries()) {
      const innerPlace = `${place}: "${name}", entry ${index + 1}`;
      checkStep(requireObject(inner, innerPlace), innerPlace, depth + 1);
    }
  }
  if (fields.pattern !== undefined) checkPattern(fields.pattern, `${place}: "pattern"`);
  if (fields.content !== undefined) {
    // "Strip" has a single character here, "Replace" the text to put in.
    requireText(fields.content, `${place}: "content"`);
  }
  if (fields.type === 'TemplateProcessing') checkTemplate(fields, place);
}

function checkPattern(pattern: unknown, place: string): void {
  if (typeof pattern === 'string') return;
  const { Regex, String: text } = requireObject(pattern, place);
  requireText(Regex ?? text, place);
}

function checkTemplate(fields: TokenizerDocument, place: string): void {
  for (const name of ['single', 'pair']) {
    if (fields[name] === undefined || fields[name] === null) continue;
    for (const [index, piece] of requireList(fields[name], `${place}: "${name}"`).entries()) {
      requireObject(piece, `${place}: "${name}", entry ${index + 1}`);
    }
  }
  const specials = requireObject(fields.special_tokens ?? {}, `${place}: "special_tokens"`);
  for (const token of Object.keys(specials)) {
    const inner = `${place}: "special_tokens": ${quoted(token)}`;
    const { ids } = requireObject(specials[token], inner);
    for (const id of requireList(ids, `${inner}: "ids"`)) checkTokenId(id, token);
  }
}

function isPair(value: unknown): value is [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}

function requireText(value: unknown, place: string): asserts value is string {
  if (typeof value !== 'string') throw new Error(`${place} ${describeMissing(value)} a text`);
}

function requireObject(value: unknown, place: string): TokenizerDocument {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as TokenizerDocument;
  }
  throw new Error(`${place} ${describeMissing(value)} an object`);
}

function requireList(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new Error(`${place} ${describeMissing(value)} a list`);
}

function describeMissing(value: unknown): string {
  return value === undefined ? 'is missing; it should be' : 'is not';
}
