import type { BosFacts } from './specialTokens.js';

/** The files that a tokenizer may be made of. */
export type TokenizerFile =
  | 'header'
  | 'tokenizer'
  | 'configuration'
  | 'specialTokens'
  | 'addedTokens'
  | 'vocabulary'
  | 'merges'
  | 'tekken'
  | 'sentencePiece'
  | 'wordPieces';

/**
 * Bytes of the files that there are: `tokenizer.json`, or `vocab.json` and `merges.txt`, or `tekken.json`, or
 * `tokenizer.model`, or `vocab.txt`; or of the header of the weights, where that carries a vocabulary.
 */
export interface TokenizerContents extends Readonly<Partial<Record<TokenizerFile, Uint8Array>>> {
  /** The model's, which tells the tokenizer where no configuration of it does. */
  readonly modelType?: string;
}

/** What a tokenizing thread is asked for. It lives for one request. */
export interface TokenizerRequest extends TokenizerContents {
  readonly texts: readonly string[];
}

/** Ids of each text, or what is wrong with which of the files. */
export type TokenizerReply =
  | { readonly ids: readonly Int32Array[]; readonly bos: BosFacts }
  | { readonly file: TokenizerFile; readonly problem: string };

/** What a tokenizing thread does. */
export interface TokenizerApi {
  tokenize(request: TokenizerRequest): Promise<TokenizerReply>;
}
