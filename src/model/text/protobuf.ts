/** How a field is written, by the specification of protocol buffers' wire format. */
const WIRE = { varint: 0, eightBytes: 1, lengthDelimited: 2, fourBytes: 5 } as const;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Seven bits each; more is no 64-bit number. */
const MAX_VARINT_BYTES = 10;

/** One field of a message: its value is read by the method that fits how it is written. */
export interface ProtobufField {
  readonly number: number;
  /** From the message's file, for errors. */
  readonly position: number;
  /** @throws an Error where the field is not written so; numbers above 2^53 are rounded */
  varint(): number;
  float(): number;
  bytes(): Uint8Array;
  text(): string;
}

/**
 * The fields of a message of protocol buffers, in order; unknown ones are the caller's to ignore. Lengths are
 * checked before anything is made of them.
 * @param bytes the message
 * @param start where it stands in its file, for errors
 * @throws an Error that names the byte and what is wrong there
 */
export function* readProtobuf(bytes: Uint8Array, start = 0): Generator<ProtobufField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const fail = (position: number, detail: string): never => {
    throw new Error(`byte ${start + position}: ${detail}`);
  };
  const readVarint = (): number => {
    const begin = at;
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      if (at >= bytes.length) fail(begin, 'a number does not end');
      if (at - begin >= MAX_VARINT_BYTES) fail(begin, 'a number has more than 64 bits');
      const byte = bytes[at++];
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (position: number, length: number): number => {
    if (length > bytes.length - at) {
      fail(position, `a field of ${length} bytes, of which ${bytes.length - at} are there`);
    }
    at += length;
    return at - length;
  };
  while (at < bytes.length) {
    const position = at;
    const key = readVarint();
    const number = Math.floor(key / 8);
    const wire = key % 8;
    if (number < 1 || number >= 2 ** 29) fail(position, `${number} is no number of a field`);
    let varint = 0;
    let begin = at;
    switch (wire) {
      case WIRE.varint:
        varint = readVarint();
        break;
      case WIRE.eightBytes:
        begin = take(position, 8);
        break;
      case WIRE.lengthDelimited: {
        const length = readVarint();
        begin = take(position, length);
        break;
      }
      case WIRE.fourBytes:
        begin = take(position, 4);
        break;
      default:
        fail(position, `fields of kind ${wire} are not used`);
    }
    const end = at;
    const expect = (kind: number, what: string) => {
      if (wire !== kind) fail(position, `field ${number} is not ${what}`);
    };
    const content = () => {
      expect(WIRE.lengthDelimited, 'a text or a message');
      return bytes.subarray(begin, end);
    };
    yield {
      number,
      position: start + begin,
      varint() {
        expect(WIRE.varint, 'an integer');
        return varint;
      },
      float() {
        expect(WIRE.fourBytes, 'a number of four bytes');
        return view.getFloat32(begin, true);
      },
      bytes: content,
      text() {
        const raw = content();
        try {
          return utf8.decode(raw);
        } catch {
          return fail(begin, 'a text that is not UTF-8');
        }
      },
    };
  }
}
