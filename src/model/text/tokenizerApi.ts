import type { BosFacts } from './specialTokens.js';

/** What a tokenizing thread is asked for. It lives for one request. */
export interface TokenizerRequest {
  /** Bytes of `tokenizer.json`. */
  readonly tokenizer: Uint8Array;
  /** Bytes of `tokenizer_config.json`; absent where the model has none. */
  readonly configuration?: Uint8Array;
  readonly texts: readonly string[];
}

/** Ids of each text, or what is wrong with which of the two files. */
export type TokenizerReply =
  | { readonly ids: readonly Int32Array[]; readonly bos: BosFacts }
  | { readonly file: 'tokenizer' | 'configuration'; readonly problem: string };

/** What a tokenizing thread does. */
export interface TokenizerApi {
  tokenize(request: TokenizerRequest): Promise<TokenizerReply>;
}
