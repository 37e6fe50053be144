import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** A grid whose cells carry `data-cell="row:column"` and one of which can have the focus. */
export interface GridHost extends ReactiveControllerHost, HTMLElement {
  gridSize(): { readonly rows: number; readonly columns: number };
  /** Brings a row into the rendered part of a long grid. */
  showRow?(row: number): void;
  /** Rows moved by Page Up and Page Down. */
  pageRows?(): number;
}

/** Arrow keys over the cells of a grid: one cell is in the tab order, the arrows move it. */
export class GridFocus implements ReactiveController {
  private row = 0;
  private column = 0;
  private wanted = false;

  constructor(private readonly grid: GridHost) {
    grid.addController(this);
    grid.addEventListener('keydown', (event) => this.onKeyDown(event));
    grid.addEventListener('focusin', (event) => this.onFocus(event));
  }

  hostUpdated(): void {
    if (!this.wanted) return;
    this.wanted = false;
    this.cell()?.focus({ preventScroll: true });
    this.cell()?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** The tab index of a cell. */
  tabIndex(row: number, column: number): 0 | -1 {
    const { rows, columns } = this.grid.gridSize();
    const [r, c] = [Math.min(this.row, rows - 1), Math.min(this.column, columns - 1)];
    return r === row && c === column ? 0 : -1;
  }

  /** The row that has or would get the focus. */
  get focusedRow(): number {
    return this.row;
  }

  /** Moves the focus to a cell, where the grid has it already. */
  moveTo(row: number, column = this.column): void {
    const { rows, columns } = this.grid.gridSize();
    this.row = Math.min(rows - 1, Math.max(0, row));
    this.column = Math.min(columns - 1, Math.max(0, column));
    this.grid.showRow?.(this.row);
    this.wanted = true;
    this.grid.requestUpdate();
  }

  private cell(): HTMLElement | null {
    return this.grid.querySelector<HTMLElement>(`[data-cell="${this.row}:${this.column}"]`);
  }

  private onFocus(event: FocusEvent): void {
    const place = (event.target as HTMLElement).dataset.cell?.split(':').map(Number);
    if (!place || (place[0] === this.row && place[1] === this.column)) return;
    [this.row, this.column] = place;
    this.grid.requestUpdate();
  }

  private onKeyDown(event: KeyboardEvent): void {
    if (!(event.target as HTMLElement).dataset.cell || event.altKey || event.metaKey) return;
    const { rows, columns } = this.grid.gridSize();
    const page = this.grid.pageRows?.() ?? 10;
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.moveTo(this.row + 1),
      ArrowUp: () => this.moveTo(this.row - 1),
      ArrowRight: () => this.moveTo(this.row, this.column + 1),
      ArrowLeft: () => this.moveTo(this.row, this.column - 1),
      PageDown: () => this.moveTo(this.row + page),
      PageUp: () => this.moveTo(this.row - page),
      Home: () => this.moveTo(event.ctrlKey ? 0 : this.row, 0),
      End: () => this.moveTo(event.ctrlKey ? rows - 1 : this.row, columns - 1),
    };
    if (event.defaultPrevented || !(event.key in moves)) return;
    event.preventDefault();
    moves[event.key]();
  }
}
