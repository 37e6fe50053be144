/** How windows come about: a text as one stream, document by document, or ids as given. */
export type Protocol = 'stream' | 'per-document' | 'token-ids';
