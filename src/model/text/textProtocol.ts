/** How windows come about: a text as one stream, document by document, or ids as given. */
export type Protocol = 'stream' | 'per-document' | 'token-ids';

/** Which windows begin with the token that begins texts (BOS). */
export type BosWindows = 'every' | 'first' | 'some' | 'none';
