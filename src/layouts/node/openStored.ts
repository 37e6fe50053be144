import { OpenSources } from '../../storage/openSources.js';
import type { LocalFileOptions } from '../../storage/node/localFile.js';
import { openSource } from '../../storage/node/openSource.js';
import { openDecodedSource } from '../decodedSource.js';

/** Sources as tensors name them: files of the local disk, memory, and what is decoded from them. */
export function openStoredSources(options: LocalFileOptions = {}): OpenSources {
  return new OpenSources(async (ref, sources) =>
    ref.kind === 'decoded'
      ? openDecodedSource(ref.name, ref.weight, sources)
      : openSource(ref, options),
  );
}
