/**
 * Where any thread finds the bytes of a file: plain data that can be sent to it. The scheme of the URI
 * chooses how it is read (`storage/node/openSource.ts`).
 */
export type SourceRef =
  | {
      readonly kind: 'uri';
      /** For messages. */
      readonly name: string;
      readonly uri: string;
      /** Size in bytes when the file's header was read. */
      readonly sizeBytes: number;
      /** Tells the file as it was then from any later state; the file system's `version` of it. */
      readonly version: string;
    }
  | { readonly kind: 'memory'; readonly name: string; readonly bytes: SharedArrayBuffer };
