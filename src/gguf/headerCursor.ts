import { CheckpointError, type CheckpointRule } from '../storage/errors.js';

/** Longest header that is read; the largest published vocabularies take some 20 MB. */
export const MAX_HEADER_BYTES = 100_000_000;

/** More of the file's beginning is needed than has been read. */
export class NeedsMoreBytes extends Error {
  override readonly name = 'NeedsMoreBytes';
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** Reads a header from its beginning on. Every length is checked before anything is made of it. */
export class HeaderCursor {
  private readonly view: DataView;
  /** Next byte. */
  at = 0;

  /**
   * @param bytes the file's beginning
   * @param fileSizeBytes size of the whole file
   */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly fileSizeBytes: number,
    private readonly fileName: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @param place what is at fault, such as `key "general.name"` */
  fail(place: string, rule: CheckpointRule, detail: string): never {
    throw new CheckpointError(this.fileName, place, rule, detail);
  }

  /**
   * Makes sure that so many bytes follow.
   * @throws NeedsMoreBytes where the file has them but they were not read yet
   */
  need(length: number, place: string): void {
    const end = this.at + length;
    if (end <= this.bytes.length) return;
    if (end > this.fileSizeBytes) {
      const detail = `it needs bytes up to ${end}, the file ends after ${this.fileSizeBytes} (incomplete download?)`;
      this.fail(place, 'InvalidHeaderLength', detail);
    }
    if (end > MAX_HEADER_BYTES) {
      this.fail(
        place,
        'HeaderTooLarge',
        `the header is over the limit of ${MAX_HEADER_BYTES} bytes`,
      );
    }
    throw new NeedsMoreBytes();
  }

  skip(length: number, place: string): void {
    this.need(length, place);
    this.at += length;
  }

  /** Reads a number by a method of DataView. */
  number(
    method: 'Uint8' | 'Int8' | 'Uint16' | 'Int16' | 'Uint32' | 'Int32' | 'Float32' | 'Float64',
    bytes: number,
    place: string,
  ): number {
    this.need(bytes, place);
    const value = this.view[`get${method}`](this.at, true);
    this.at += bytes;
    return value;
  }

  integer64(signed: boolean, place: string): bigint {
    this.need(8, place);
    const value = signed
      ? this.view.getBigInt64(this.at, true)
      : this.view.getBigUint64(this.at, true);
    this.at += 8;
    return value;
  }

  /** A count or a length: a whole number that is exact, from 0. */
  count(place: string, what: string): number {
    const value = this.integer64(false, place);
    if (value > Number.MAX_SAFE_INTEGER) {
      this.fail(place, 'ValidationOverflow', `${what} is ${value}`);
    }
    return Number(value);
  }

  /** The text of a string. @param name true: it must be UTF-8; else what is not is replaced */
  string(place: string, name = false): string {
    const length = this.count(place, 'the length of a text');
    this.need(length, place);
    const bytes = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    if (!name) return lenient.decode(bytes);
    try {
      return strict.decode(bytes);
    } catch {
      return this.fail(place, 'NotUtf8', 'the text is not UTF-8');
    }
  }
}
