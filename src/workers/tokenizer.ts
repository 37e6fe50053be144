// Program of the thread that tokenizes: a large vocabulary and a long text take seconds, and the host
// must answer meanwhile.
import { parseJson } from '../checkpoint/jsonText.js';
import { serveThread } from '../host/node/serveThread.js';
import { makeTextEncoder, type TokenizerDocument } from '../model/text/textEncoder.js';
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
      return { file, problem: error instanceof Error ? error.message : String(error) };
    }
  },
}));

function parse(bytes: Uint8Array): TokenizerDocument {
  return parseJson(new TextDecoder().decode(bytes)) as TokenizerDocument;
}
