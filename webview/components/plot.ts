import type { Data, Layout, PlotlyHTMLElement } from 'plotly.js';
import Plotly from 'plotly.js/dist/plotly-cartesian.min.js';
import { escapeText } from './plotText.js';
import type { Theme } from './theme.js';

/** Traces and layout of a chart. */
export interface Figure {
  readonly data: readonly Data[];
  readonly layout: Partial<Layout>;
}

/** Where the axes' inside lies, in CSS pixels from the plot's corner. */
export interface PlotArea {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The part of Plotly's laid-out axis that maps data to pixels. */
interface LaidOutAxis {
  readonly _offset: number;
  readonly _length: number;
  l2p(value: number): number;
  p2l(pixel: number): number;
}

type LaidOut = PlotlyHTMLElement & {
  readonly _fullLayout?: { readonly xaxis?: LaidOutAxis; readonly yaxis?: LaidOutAxis };
};

/** A chart on an element. The only file that knows Plotly. */
export class Plot {
  private drawing: Promise<unknown> = Promise.resolve();

  constructor(private readonly element: HTMLElement) {}

  /** Draws or updates; resolves when the chart is laid out. */
  async draw(figure: Figure, theme: Theme): Promise<void> {
    const { data, layout } = this.complete(figure, theme);
    this.drawing = this.drawing
      .catch(() => undefined)
      .then(() => Plotly.react(this.element, data, layout, { staticPlot: true }));
    await this.drawing;
  }

  /** Undefined until the first drawing is done. */
  get area(): PlotArea | undefined {
    const layout = (this.element as LaidOut)._fullLayout;
    if (!layout?.xaxis || !layout.yaxis) return undefined;
    const { xaxis, yaxis } = layout;
    return { left: xaxis._offset, top: yaxis._offset, width: xaxis._length, height: yaxis._length };
  }

  /** Position on the x axis of a pixel counted from the plot's left edge. */
  xAt(pixel: number): number {
    const axis = (this.element as LaidOut)._fullLayout?.xaxis;
    return axis ? axis.p2l(pixel - axis._offset) : NaN;
  }

  /** Pixel from the plot's left edge of a position on the x axis. */
  pixelOf(x: number): number {
    const axis = (this.element as LaidOut)._fullLayout?.xaxis;
    return axis ? axis.l2p(x) + axis._offset : NaN;
  }

  /** The chart as a PNG file at twice its size, on the theme's background and under its title. */
  async png(figure: Figure, theme: Theme, title: string): Promise<Uint8Array> {
    const { data, layout } = this.complete(figure, theme);
    const height = (layout.height ?? 300) + 70;
    const titled: Partial<Layout> = {
      ...layout,
      paper_bgcolor: theme.background,
      title: { text: escapeText(title), x: 0.01, xanchor: 'left', y: 0.98, yanchor: 'top' },
      showlegend: data.length > 1,
      legend: { orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0 },
      margin: { ...layout.margin, t: 84, r: 24 },
      height,
    };
    const url = await Plotly.toImage(
      { data, layout: titled },
      { format: 'png', width: this.element.clientWidth, height, scale: 2 },
    );
    const bytes = atob(url.slice(url.indexOf(',') + 1));
    return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
  }

  destroy(): void {
    Plotly.purge(this.element);
  }

  private complete(figure: Figure, theme: Theme): { data: Data[]; layout: Partial<Layout> } {
    const axis = {
      color: theme.axis,
      gridcolor: theme.grid,
      zerolinecolor: theme.axis,
      linecolor: theme.axis,
      tickfont: { color: theme.secondary },
      title: { font: { color: theme.secondary } },
      automargin: false,
    };
    const { layout } = figure;
    return {
      data: [...figure.data],
      layout: {
        paper_bgcolor: 'rgba(0,0,0,0)',
        plot_bgcolor: 'rgba(0,0,0,0)',
        font: { family: theme.fontFamily, size: theme.fontSize, color: theme.foreground },
        margin: { l: 56, r: 12, t: 8, b: 28 },
        showlegend: false,
        separators: '.,',
        autosize: true,
        ...layout,
        xaxis: { ...axis, showgrid: false, ...layout.xaxis },
        yaxis: { ...axis, ...layout.yaxis },
      },
    };
  }
}
