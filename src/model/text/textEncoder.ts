import { readSpecialTokens, withConfiguredTokens, type BosFacts } from './specialTokens.js';
import { AddedTokenFinder, readAddedTokens } from './steps/addedTokens.js';
import { makeModel, type WordModel } from './steps/models.js';
import { makeNormalizer, stripsBeginning } from './steps/normalizers.js';
import { readFrame } from './steps/postProcessors.js';
import { makePreTokenizer } from './steps/preTokenizers.js';
import { checkTokenizerDocument, type TokenizerDocument } from './tokenizerDocument.js';

/** A tokenizer, ready for texts. */
export interface EncodeText {
  /** A text's ids, the tokenizer's own special tokens included. */
  (text: string): Int32Array;
  readonly bos: BosFacts;
}

/**
 * A tokenizer that gives the ids of the reference (`transformers` over Rust's `tokenizers`). The library's models
 * and its reading of expressions are used; what it does otherwise than the reference is done here: normalizers,
 * pre-tokenizers, added tokens, special tokens.
 * @param configuration `tokenizer_config.json`
 * @throws where a document is no tokenizer, or uses what would give other ids; encoding throws where a piece of
 * the text has no id
 */
export function makeTextEncoder(
  document: TokenizerDocument,
  configuration: TokenizerDocument,
): EncodeText {
  checkTokenizerDocument(document);
  return assembleTextEncoder(
    document,
    configuration,
    makeModel(document.model as TokenizerDocument),
  );
}

/**
 * A tokenizer of steps and a model that was made elsewhere.
 * @param document its steps and added tokens, checked or our own; its "model" is not read
 * @param configuration as `tokenizer_config.json` has it
 * @throws where steps would give other ids than the reference
 */
export function assembleTextEncoder(
  document: TokenizerDocument,
  configuration: TokenizerDocument,
  model: WordModel,
): EncodeText {
  const normalize = document.normalizer
    ? makeNormalizer(document.normalizer as TokenizerDocument)
    : undefined;
  const strips = stripsBeginning(document.normalizer);
  const preTokenizer = configuredPreTokenizer(document.pre_tokenizer, configuration);
  const preTokenize = preTokenizer ? makePreTokenizer(preTokenizer) : undefined;
  const { vocabulary } = model;
  const added = readAddedTokens(
    withConfiguredTokens(
      (document.added_tokens ?? []) as TokenizerDocument[],
      configuration,
      vocabulary,
    ),
    vocabulary,
  );
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  const { frame, bos } = readSpecialTokens(
    readFrame(document.post_processor),
    configuration,
    (token) => addedIds.get(token) ?? vocabulary.get(token),
  );
  const asWritten = new AddedTokenFinder(added.filter(({ normalized }) => !normalized));
  const normalizedOnes = new AddedTokenFinder(
    added.filter(({ normalized }) => normalized),
    normalize,
  );
  function encode(text: string): Int32Array {
    const ids = [...frame.before];
    for (const { section, begin } of asWritten.split(text)) {
      if (typeof section === 'number') {
        ids.push(section);
        continue;
      }
      const normalized = normalize ? normalize(section) : section;
      for (const inner of normalizedOnes.split(normalized)) {
        if (typeof inner.section === 'number') {
          ids.push(inner.section);
          continue;
        }
        const atStart =
          begin === 0 && inner.begin === 0 && !(strips && /^\p{White_Space}/u.test(section));
        const words = preTokenize ? preTokenize(inner.section, atStart) : [inner.section];
        for (const word of words) if (word !== '') model.encode(word, ids);
      }
    }
    ids.push(...frame.after);
    return Int32Array.from(ids);
  }
  return Object.assign(encode, { bos });
}

/** A byte-level pre-tokenizer puts a space in front of texts where the configuration says so, whatever the document says. */
function configuredPreTokenizer(
  step: unknown,
  { add_prefix_space }: TokenizerDocument,
): TokenizerDocument | undefined {
  if (step === undefined || step === null) return undefined;
  const fields = step as TokenizerDocument;
  const isConfigured = fields.type === 'ByteLevel' && typeof add_prefix_space === 'boolean';
  return isConfigured ? { ...fields, add_prefix_space } : fields;
}
