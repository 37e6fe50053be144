import { quoted } from '../../storage/errors.js';
import { readProtobuf } from './protobuf.js';

/** Kinds of pieces, as `sentencepiece_model.proto` numbers them. */
export const PIECE = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** Kinds of models, as `sentencepiece_model.proto` numbers them. */
export const MODEL = { unigram: 1, bytePairs: 2 } as const;

/** The largest published vocabularies have some 260,000 tokens. */
const MAX_PIECES = 1 << 20;
/** Training makes no piece of more than 16 characters unless told to; runs of spaces and tags are longer. */
const MAX_PIECE_CHARACTERS = 512;

/** A token of the vocabulary; its id is its place. */
export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly kind: number;
}

/** What a SentencePiece model says. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** One of {@link MODEL}, or another number. */
  readonly modelType: number;
  readonly unknownPiece: string;
  /** Puts a space in front of a text. */
  readonly addsSpace: boolean;
  /** Makes one space of several, and none of those at the ends. */
  readonly removesSpaces: boolean;
  /** Replaces characters by a table (NFKC and the like). */
  readonly hasCharacterMap: boolean;
  /** Puts the mark of a space behind words, not in front of them. */
  readonly marksSpaceBehind: boolean;
}

/** Numbers of fields in `sentencepiece_model.proto`. */
const FIELD = {
  model: { pieces: 1, trainer: 2, normalizer: 3 },
  piece: { text: 1, score: 2, kind: 3 },
  trainer: { modelType: 3, spaceAsSuffix: 24, unknownPiece: 45 },
  normalizer: { characterMap: 2, addsSpace: 3, removesSpaces: 4 },
} as const;

/**
 * Reads a SentencePiece model (`tokenizer.model`), a message of protocol buffers.
 * @throws an Error that names the byte or the piece and what is wrong with it
 */
export function readSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: Piece[] = [];
  // What fields that are not written mean.
  let trainer = {
    modelType: MODEL.unigram as number,
    marksSpaceBehind: false,
    unknownPiece: '<unk>',
  };
  let normalizer = { addsSpace: true, removesSpaces: true, hasCharacterMap: false };
  const parts = new Set<number>();
  for (const field of readProtobuf(bytes)) {
    parts.add(field.number);
    switch (field.number) {
      case FIELD.model.pieces:
        if (pieces.length === MAX_PIECES) throw new Error(`more than ${MAX_PIECES} pieces`);
        pieces.push(readPiece(field.bytes(), field.position, pieces.length));
        break;
      case FIELD.model.trainer:
        trainer = readTrainer(field.bytes(), field.position, trainer);
        break;
      case FIELD.model.normalizer:
        normalizer = readNormalizer(field.bytes(), field.position, normalizer);
        break;
    }
  }
  if (pieces.length === 0) throw new Error('it has no pieces: this is no SentencePiece model');
  // Without them other steps would be taken for its own.
  for (const name of ['trainer', 'normalizer'] as const) {
    if (parts.has(FIELD.model[name])) continue;
    throw new Error(`it has no ${name}_spec, as files have that are cut off`);
  }
  return { pieces, ...trainer, ...normalizer };
}

function readPiece(bytes: Uint8Array, start: number, id: number): Piece {
  let text = '';
  let score = 0;
  let kind: number = PIECE.normal;
  for (const field of readProtobuf(bytes, start)) {
    if (field.number === FIELD.piece.text) text = field.text();
    else if (field.number === FIELD.piece.score) score = field.float();
    else if (field.number === FIELD.piece.kind) kind = field.varint();
  }
  if (text === '') throw new Error(`piece ${id} has no text`);
  if (text.length > MAX_PIECE_CHARACTERS) {
    throw new Error(
      `piece ${id}, ${quoted(text)}, has more than ${MAX_PIECE_CHARACTERS} characters`,
    );
  }
  if (!Number.isFinite(score)) throw new Error(`the score of piece ${id} is ${score}`);
  if (kind < PIECE.normal || kind > PIECE.byte) {
    throw new Error(`piece ${id} is of kind ${kind}, which is not known`);
  }
  return { text, score, kind };
}

type Trainer = Pick<SentencePieceModel, 'modelType' | 'marksSpaceBehind' | 'unknownPiece'>;

function readTrainer(bytes: Uint8Array, start: number, before: Trainer): Trainer {
  const trainer = { ...before };
  for (const field of readProtobuf(bytes, start)) {
    if (field.number === FIELD.trainer.modelType) trainer.modelType = field.varint();
    else if (field.number === FIELD.trainer.unknownPiece) trainer.unknownPiece = field.text();
    else if (field.number === FIELD.trainer.spaceAsSuffix) {
      trainer.marksSpaceBehind = field.varint() !== 0;
    }
  }
  return trainer;
}

type Normalizer = Pick<SentencePieceModel, 'addsSpace' | 'removesSpaces' | 'hasCharacterMap'>;

function readNormalizer(bytes: Uint8Array, start: number, before: Normalizer): Normalizer {
  const normalizer = { ...before };
  for (const field of readProtobuf(bytes, start)) {
    if (field.number === FIELD.normalizer.addsSpace) normalizer.addsSpace = field.varint() !== 0;
    else if (field.number === FIELD.normalizer.removesSpaces) {
      normalizer.removesSpaces = field.varint() !== 0;
    } else if (field.number === FIELD.normalizer.characterMap) {
      normalizer.hasCharacterMap = field.bytes().length > 0;
    }
  }
  return normalizer;
}
