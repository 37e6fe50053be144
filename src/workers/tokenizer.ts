// Program of the thread that tokenizes: a large vocabulary and a long text take seconds, and the host
// must answer meanwhile.
import { parseJson } from '../checkpoint/jsonText.js';
import { serveThread } from '../host/node/serveThread.js';
import { makeTextEncoder } from '../model/text/textEncoder.js';
import type { TokenizerDocument } from '../model/text/tokenizerDocument.js';
import { describeError } from '../storage/describeError.js';
import type { TokenizerApi } from '../model/text/tokenizerApi.js';

serveThread<unknown, TokenizerApi>(() => ({
  async tokenize({ tokenizer, configuration, texts }) {
    let file: 'tokenizer' | 'configuration' = 'configuration';
    try {
      const settings = configuration ? parse(configuration) : {};
      file = 'tokenizer';
      const encode = makeTextEncoder(parse(tokenizer), settings);
      return { ids: texts.map(encode), bos: encode.bos };
    } catch (error) {
      return { file, problem: describe(error) };
    }
  },
}));

function parse(bytes: Uint8Array): TokenizerDocument {
  const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
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
