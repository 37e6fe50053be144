// Program of the thread that tokenizes: a large vocabulary and a long text take seconds, and the host
// must answer meanwhile.
import { parseJson } from '../checkpoint/jsonText.js';
import { serveThread } from '../host/node/serveThread.js';
import { gpt2Configuration, gpt2Document, parseMerges } from '../model/text/gpt2Files.js';
import { makeTextEncoder } from '../model/text/textEncoder.js';
import type { TokenizerDocument } from '../model/text/tokenizerDocument.js';
import { describeError } from '../storage/describeError.js';
import type { TokenizerApi, TokenizerFile } from '../model/text/tokenizerApi.js';

serveThread<unknown, TokenizerApi>(() => ({
  async tokenize(request) {
    let file: TokenizerFile = 'configuration';
    /** What a file holds, which is at fault until the next. */
    const read = (name: TokenizerFile): TokenizerDocument => {
      file = name;
      const bytes = request[name];
      return bytes ? parse(bytes) : {};
    };
    try {
      let settings = { ...read('specialTokens'), ...read('configuration') };
      let document;
      if (request.tokenizer) {
        document = read('tokenizer');
      } else {
        file = 'vocabulary';
        settings = gpt2Configuration(settings, request.modelType);
        const vocabulary = read('vocabulary');
        file = 'merges';
        const merges = parseMerges(decode(request.merges ?? new Uint8Array()));
        document = gpt2Document(vocabulary, merges);
        file = 'vocabulary';
      }
      const encode = makeTextEncoder(document, settings);
      return { ids: request.texts.map(encode), bos: encode.bos };
    } catch (error) {
      return { file, problem: describe(error) };
    }
  },
}));

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
