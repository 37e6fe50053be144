/** Texts that tokenizers cut in many ways, without special tokens. */
export const TOKENIZER_TEXTS: readonly string[] = [
  'One day, a girl found 3 needles in 1999.',
  ' leading space',
  '   three leading, trailing  ',
  '\n\nlines\r\nand\ttabs \n \n\n  end\n',
  "It's what they'd DON'T we'll I'VE",
  '12345 1234567 ½ ² 3.14 1,000,000 ٣٤٥ Ⅻ',
  'naïve café Ünïcödé Größe Ελληνικά Русский',
  '汉字かな交じり文 한국어 ไทย हिन्दी العربية',
  '😀 👩‍👩‍👧 🇩🇪 emoji',
  '!!!??? ... --- ((())) [[x]] {"a": 1} <tag> </tag> & ; // \\',
  'a'.repeat(700),
  `${'-'.repeat(33)}${'='.repeat(77)}${' '.repeat(65)}x`,
  '\u00a0\u2003\u3000x\u200bx\u0085y',
  'CamelCaseWords snake_case_words HTTPServer x1y2z3',
  '',
];

/** Texts with special tokens of the sample and of Llama in them. */
export const SPECIAL_TEXTS: readonly string[] = [
  '<s>one</s><s> two </s>\nthree<unk> four',
  '</s>',
  'a<s>',
  '<s',
];
