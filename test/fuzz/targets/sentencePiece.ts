import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sentencePieceDocuments } from '../../../src/model/text/sentencePieceDocument.js';
import { readSentencePieceModel } from '../../../src/model/text/sentencePieceModel.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { encodeSentencePieces } from '../../support/sentencePieces.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { promise, type FuzzTarget } from '../target.js';

const FILE = 'tokenizer.model';
const TEXT = '<s>ab a  ab\n12 é😀</s>';
const PIECES = ['<unk>', '<s>', '</s>', 'a', 'b', '▁', 'ab', '▁a', '▁ab', '1', '2', '12', '<0x0A>'];

/** SentencePiece models over a small text: ids are those of the file, or it is refused. */
export const sentencePiece: FuzzTarget = {
  name: 'sentencepiece',
  seeds(root): Input[] {
    const fixtures = join(root, 'test/fixtures/sentencepiece');
    const files = ['llama-bpe.model', 'llama-unigram.model', 'removes-spaces.model'];
    return [
      [{ name: FILE, bytes: encodeSentencePieces(PIECES) }],
      ...files.map((file): Input => [
        { name: FILE, bytes: new Uint8Array(readFileSync(join(fixtures, file))) },
      ]),
    ];
  },
  mutate(input, random, pool) {
    const donor = bytesOf(random.pick(pool), FILE);
    return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, donor));
  },
  check(input) {
    const bytes = bytesOf(input, FILE);
    let ids: Int32Array;
    try {
      const { document, configuration } = sentencePieceDocuments(bytes, {}, {}, 'llama');
      ids = makeTextEncoder(document, configuration)(TEXT);
    } catch (error) {
      promise(error instanceof Error, 'what was thrown is no error');
      promise(!(error instanceof TypeError || error instanceof RangeError), String(error));
      return false;
    }
    const { length } = readSentencePieceModel(bytes).pieces;
    const wrong = ids.find((id) => id < 0 || id >= length);
    promise(wrong === undefined, `id ${wrong} is none of the ${length} of the file`);
    return true;
  },
};
