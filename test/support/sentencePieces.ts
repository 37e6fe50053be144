const encoder = new TextEncoder();

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function field(number: number, content: Uint8Array | readonly number[]): number[] {
  return [...varint(number * 8 + 2), ...varint(content.length), ...content];
}

/** A SentencePiece model of byte pairs: the first three pieces are <unk>, BOS and EOS; scores fall with ids. */
export function encodeSentencePieces(texts: readonly string[]): Uint8Array {
  const parts = texts.map((text, id) => {
    const score = new Uint8Array(new Float32Array([-id]).buffer);
    const kind = id === 0 ? 2 : id < 3 ? 3 : 1;
    const piece = [...field(1, encoder.encode(text)), 2 * 8 + 5, ...score, 3 * 8, kind];
    return Buffer.from(field(1, piece));
  });
  const trainer = field(2, [3 * 8, 2]);
  const normalizer = field(3, [4 * 8, 0]);
  return Buffer.concat([...parts, Buffer.from(trainer), Buffer.from(normalizer)]);
}
