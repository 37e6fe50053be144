import type { SVGTemplateResult } from 'lit';
import { svg } from 'lit';
import type { Theme } from '../components/theme.js';
import { withAlpha } from '../components/theme.js';

type Shape =
  'diamond' | 'circle' | 'triangle-up' | 'square' | 'triangle-down' | 'x' | 'pentagon' | 'star';
const FILLS = ['', '-open', '-open-dot'] as const;

/** How a format is told from the others: hue by kind of number, pattern within the kind. */
export interface SeriesStyle {
  readonly color: string;
  /** Plotly's name of the fill pattern; "" for solid. */
  readonly pattern: '' | '/' | 'x' | '.' | '-' | '|' | '\\' | '+';
  /** Plotly's name of the dot. */
  readonly symbol: `${Shape}${(typeof FILLS)[number]}`;
}

const PATTERNS: readonly SeriesStyle['pattern'][] = ['', '/', '.', 'x', '-', '\\', '+', '|'];
const KINDS: readonly { test: RegExp; color: keyof Theme; symbol: Shape }[] = [
  { test: /^dint/, color: 'foreground', symbol: 'diamond' },
  { test: /^int/, color: 'positive', symbol: 'circle' },
  { test: /^afp/, color: 'negative', symbol: 'triangle-up' },
  { test: /^fp/, color: 'negative', symbol: 'square' },
  { test: /^a?nf|^bnb-nf/, color: 'purple', symbol: 'triangle-down' },
  { test: /./, color: 'yellow', symbol: 'x' },
];

/** Dots of one hue differ first in how they are filled, then in shape. */
function symbolOf(shape: Shape, index: number): SeriesStyle['symbol'] {
  const shapes: readonly Shape[] = [shape, 'pentagon', 'star'];
  const round = Math.floor(index / FILLS.length);
  return `${shapes[round % shapes.length]}${FILLS[index % FILLS.length]}`;
}

/** Styles of formats by canonical name, in their order. */
export function seriesStyles(
  formats: readonly string[],
  theme: Theme,
): ReadonlyMap<string, SeriesStyle> {
  const used = new Map<unknown, number>();
  return new Map(
    formats.map((id) => {
      const kind = KINDS.find(({ test }) => test.test(id))!;
      const color = theme[kind.color] as string;
      const index = used.get(color) ?? 0;
      used.set(color, index + 1);
      const pattern = PATTERNS[index % PATTERNS.length];
      const symbol = symbolOf(kind.symbol, index);
      return [id, { color, pattern, symbol }];
    }),
  );
}

/** The paler ground under a pattern's lines. */
export function patternGround(style: SeriesStyle): string {
  return withAlpha(style.color, 0.22);
}

const STROKES: Readonly<Record<SeriesStyle['pattern'], string>> = {
  '': '',
  '/': 'M0 12 12 0M-3 9 9-3M3 15 15 3',
  '\\': 'M0 0l12 12M-3 3l12 12M3-3l12 12',
  x: 'M0 0l12 12M0 12 12 0',
  '.': 'M3 3h.1M9 3h.1M3 9h.1M9 9h.1M6 6h.1',
  '-': 'M0 2.5h12M0 6h12M0 9.5h12',
  '|': 'M2.5 0v12M6 0v12M9.5 0v12',
  '+': 'M0 4h12M0 9h12M4 0v12M9 0v12',
};

const SYMBOLS: Readonly<Record<string, string>> = {
  circle: 'M6 1.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9z',
  square: 'M2 2h8v8H2z',
  diamond: 'M6 .8 11.2 6 6 11.2 .8 6z',
  'triangle-up': 'M6 1.5 11 10.2H1z',
  'triangle-down': 'M6 10.5 11 1.8H1z',
  pentagon: 'M6 1 11 4.6 9.1 10.5H2.9L1 4.6z',
  star: 'M6 .8 7.5 4.4l3.9.3-3 2.5 1 3.8L6 9 2.7 11l.9-3.8-3-2.5 3.9-.3z',
  x: 'M2.5 1 6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6 1 2.5z',
};

/** The dot of a series beside its name. */
export function symbolSwatch({ symbol, color }: SeriesStyle): SVGTemplateResult {
  const [shape, ...fill] = symbol.split(/-(?=open|dot)/);
  return svg`<svg class="series-swatch" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
    <path d=${SYMBOLS[shape]} fill=${fill.includes('open') ? 'none' : color} stroke=${color}></path>
    <circle cx="6" cy="6" r=${fill.includes('dot') ? 1.2 : 0} fill=${color}></circle>
  </svg>`;
}

/** The bar of a series beside its name. */
export function seriesSwatch(style: SeriesStyle): SVGTemplateResult {
  const solid = style.pattern === '';
  return svg`<svg class="series-swatch" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
    <rect width="12" height="12" fill=${solid ? style.color : patternGround(style)}></rect>
    <path d=${STROKES[style.pattern]} stroke=${style.color} stroke-linecap="round"
      stroke-width=${style.pattern === '.' ? 2 : 1.3} fill="none"></path>
    <rect x=".5" y=".5" width="11" height="11" fill="none" stroke=${style.color}></rect>
  </svg>`;
}
