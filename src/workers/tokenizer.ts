// Program of the thread that tokenizes: a large vocabulary and a long text take seconds, and the host
// must answer meanwhile.
import { parseJson } from '../checkpoint/jsonText.js';
import { serveThread } from '../host/node/serveThread.js';
import { makeGgufEncoder } from '../model/text/ggufTokenizer.js';
import { bertConfiguration, bertDocument, parseVocabularyLines } from '../model/text/bertFiles.js';
import { gpt2Configuration, gpt2Document, parseMerges } from '../model/text/gpt2Files.js';
import { sentencePieceDocuments } from '../model/text/sentencePieceDocument.js';
import { makeTekkenEncoder } from '../model/text/tekken.js';
import { makeTextEncoder, type EncodeText } from '../model/text/textEncoder.js';
import type { TokenizerDocument } from '../model/text/tokenizerDocument.js';
import { describeError } from '../storage/describeError.js';
import type { TokenizerApi, TokenizerFile, TokenizerRequest } from '../model/text/tokenizerApi.js';

serveThread<unknown, TokenizerApi>(() => ({
  async tokenize(request) {
    let file: TokenizerFile = 'configuration';
    try {
      const encode = makeEncoder(request, (name) => (file = name));
      return { ids: request.texts.map(encode), bos: encode.bos };
    } catch (error) {
      return { file, problem: describe(error) };
    }
  },
}));

/** @param onFile is told which file is at fault from there on */
function makeEncoder(request: TokenizerRequest, onFile: (file: TokenizerFile) => void): EncodeText {
  if (request.header) {
    onFile('header');
    return makeGgufEncoder(request.header, '');
  }
  const read = (file: TokenizerFile): TokenizerDocument => {
    onFile(file);
    const bytes = request[file];
    return bytes ? parse(bytes) : {};
  };
  if (request.tekken) return makeTekkenEncoder(read('tekken'));
  const settings = { ...read('specialTokens'), ...read('configuration') };
  if (request.tokenizer) return makeTextEncoder(read('tokenizer'), settings);
  if (request.sentencePiece) {
    const added = read('addedTokens');
    onFile('sentencePiece');
    const { document, configuration } = sentencePieceDocuments(
      request.sentencePiece,
      settings,
      added,
      request.modelType,
    );
    return makeTextEncoder(document, configuration);
  }
  if (request.wordPieces) {
    onFile('wordPieces');
    const configuration = bertConfiguration(settings, request.modelType);
    // A mark of the order of bytes is part of the first token, as in the reference.
    const lines = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const vocabulary = parseVocabularyLines(lines.decode(request.wordPieces));
    return makeTextEncoder(bertDocument(vocabulary, configuration), configuration);
  }
  onFile('vocabulary');
  const configuration = gpt2Configuration(settings, request.modelType);
  const vocabulary = read('vocabulary');
  onFile('merges');
  const merges = parseMerges(decode(request.merges ?? new Uint8Array()));
  onFile('vocabulary');
  return makeTextEncoder(gpt2Document(vocabulary, merges), configuration);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function parse(bytes: Uint8Array): TokenizerDocument {
  const value = parseJson(decode(bytes));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as TokenizerDocument;
  }
  throw new Error('the text is JSON but not an object');
}

function describe(error: unknown): string {
  // Regular expressions remember the ways that they have not tried yet.
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return 'its expressions take more memory on this text than there is';
  }
  return describeError(error);
}
