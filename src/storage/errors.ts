import { shorten } from './shorten.js';

/**
 * The rule a checkpoint breaks. The first ten are the verdicts of the format's reference reader;
 * the rest concern what it does not look at: sizes beyond reason, duplicate names, shards, folders, the disk.
 */
export type CheckpointRule =
  | 'HeaderTooSmall'
  | 'HeaderTooLarge'
  | 'InvalidHeaderLength'
  | 'InvalidHeader'
  | 'InvalidHeaderDeserialization'
  | 'InvalidOffset'
  | 'MetadataIncompleteBuffer'
  | 'ValidationOverflow'
  | 'MisalignedSlice'
  | 'TensorInvalidInfo'
  | 'TooManyDimensions'
  | 'TooMuchMetadata'
  | 'DuplicateName'
  | 'InvalidName'
  | 'InvalidIndex'
  | 'PathLeavesFolder'
  | 'MissingShard'
  | 'TensorNotInShard'
  | 'TensorNotInIndex'
  | 'NoCheckpoint'
  | 'AmbiguousFolder'
  | 'FileNotFound'
  | 'NotAFile'
  | 'FileTooLarge'
  | 'NotDownloaded'
  | 'NotUtf8'
  | 'ReadFailed'
  | 'ReadBeyondEnd'
  | 'FileChanged'
  | 'WouldOverwriteInput'
  | 'WriteFailed';

/** Longer paths and names, which only hostile files have, are shortened in messages. */
export const MAX_PATH_CHARACTERS = 1000;

/** A file that is not what it says it is, or cannot be read or written. The message is one line. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';

  /**
   * @param file the file at fault, as the user knows it
   * @param place where in the file: "header byte 17", `tensor "a"`; empty for the file as a whole
   * @param rule the rule it breaks
   * @param detail what is wrong, in plain words
   */
  constructor(
    readonly file: string,
    readonly place: string,
    readonly rule: CheckpointRule,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    const parts = [shorten(file, MAX_PATH_CHARACTERS, visible), place, detail].filter(
      (part) => part !== '',
    );
    super(`${parts.join(': ')} (${rule})`, options);
  }

  /** The same error told of the same file under another name, such as its full path. */
  inFile(file: string): CheckpointError {
    return new CheckpointError(file, this.place, this.rule, this.detail, { cause: this.cause });
  }
}

/** Characters that would break a line, vanish, or reorder the text around them. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Escapes that have been needed; there are no more than such characters. */
const escapes = new Map<string, string>();

function escapeOf(character: string): string {
  let escape = escapes.get(character);
  if (escape === undefined) {
    escape = `\\u{${character.codePointAt(0)!.toString(16)}}`;
    escapes.set(character, escape);
  }
  return escape;
}

/** Text from a file made fit for one line: control and direction characters become visible escapes. */
export function visible(text: string): string {
  return text.replace(UNSAFE, escapeOf);
}

const MAX_QUOTED_CHARACTERS = 120;

/** A name from a file in quotation marks, shortened and made fit for one line. */
export function quoted(text: string): string {
  return `"${shorten(text, MAX_QUOTED_CHARACTERS, visible)}"`;
}

const LISTED_NAMES = 6;

/**
 * Names from a file, quoted, the first few of many.
 * @param count how many there are, where `names` are only the first of them
 */
export function listQuoted(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, LISTED_NAMES).map(quoted).join(', ');
  const rest = count - LISTED_NAMES;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

/**
 * What the user can do about an error. The errors themselves say what is wrong in words that hold
 * everywhere; each way of asking for work adds what it calls its remedy.
 */
export type Remedy = 'choose-tensors' | 'shorter-context' | 'token-ids';

/** What would help against an error, where it or what caused it says so. */
export function remedyOf(error: unknown): Remedy | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { remedy } = each as { readonly remedy?: Remedy };
    if (remedy) return remedy;
  }
  return undefined;
}
