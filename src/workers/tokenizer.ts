// Program of the thread that tokenizes: a large vocabulary and a long text take seconds, and the host
// must answer meanwhile.
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
      return { ids: texts.map(encode) };
    } catch (error) {
      return { file, problem: describeError(error) };
    }
  },
}));

function parse(bytes: Uint8Array): TokenizerDocument {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as TokenizerDocument;
}
