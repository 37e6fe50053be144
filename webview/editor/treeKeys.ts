import { rowKey, type TreeRow } from './treeModel.js';

/** What the keys of a tree act on. Rows are indices into `rows()`. */
export interface TreeActions {
  rows(): readonly TreeRow[];
  active(): number;
  pageRows(): number;
  activate(row: number): void;
  select(row: number): void;
  /** Opens or closes a layer or a weight that has parts. */
  toggle(branch: string): void;
  openMenu(row: number): void;
  copy(row: number): void;
}

/** Milliseconds after which typing starts a new word. */
const TYPE_AHEAD_PAUSE = 700;

/** The keyboard of an ARIA tree: arrows, Home, End, pages, type-ahead, Enter, Space, menu. */
export class TreeKeys {
  private typed = '';
  private typedAt = -Infinity;

  constructor(private readonly tree: TreeActions) {}

  handle(event: KeyboardEvent): void {
    const { tree } = this;
    if (tree.rows().length === 0) return;
    const row = Math.max(0, tree.active());
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      tree.openMenu(row);
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'c') {
      tree.copy(row);
    } else if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (!this.move(event.key, row) && !this.typeAhead(event, row)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private move(key: string, row: number): boolean {
    const { tree } = this;
    const rows = tree.rows();
    const go = (to: number): void => tree.activate(Math.min(rows.length - 1, Math.max(0, to)));
    switch (key) {
      case 'ArrowDown':
        go(row + 1);
        return true;
      case 'ArrowUp':
        go(row - 1);
        return true;
      case 'PageDown':
        go(row + tree.pageRows());
        return true;
      case 'PageUp':
        go(row - tree.pageRows());
        return true;
      case 'Home':
        go(0);
        return true;
      case 'End':
        go(rows.length - 1);
        return true;
      case 'ArrowRight':
        this.inwards(row);
        return true;
      case 'ArrowLeft':
        this.outwards(row);
        return true;
      case 'Enter':
        tree.select(row);
        return true;
      default:
        return false;
    }
  }

  private inwards(row: number): void {
    const at = this.tree.rows()[row];
    if (at.kind === 'tensor') return;
    if (at.expanded) this.tree.activate(row + 1);
    else this.tree.toggle(rowKey(at).name);
  }

  private outwards(row: number): void {
    const rows = this.tree.rows();
    const at = rows[row];
    if (at.kind !== 'tensor' && at.expanded) {
      this.tree.toggle(rowKey(at).name);
      return;
    }
    const parent = rows.slice(0, row).findLastIndex(({ level }) => level < at.level);
    if (parent >= 0) this.tree.activate(parent);
  }

  private typeAhead(event: KeyboardEvent, row: number): boolean {
    const { tree } = this;
    if (event.key.length !== 1) return false;
    const pausing = event.timeStamp - this.typedAt > TYPE_AHEAD_PAUSE;
    if (event.key === ' ' && pausing) {
      tree.select(row);
      return true;
    }
    this.typed = (pausing ? '' : this.typed) + event.key.toLowerCase();
    this.typedAt = event.timeStamp;
    // One letter repeated steps through its rows; a longer word may stay where it is.
    const repeated = [...this.typed].every((letter) => letter === this.typed[0]);
    const wanted = repeated ? this.typed[0] : this.typed;
    const rows = tree.rows();
    for (let step = repeated ? 1 : 0; step <= rows.length; step++) {
      const candidate = (row + step) % rows.length;
      if (label(rows[candidate]).toLowerCase().startsWith(wanted)) {
        tree.activate(candidate);
        break;
      }
    }
    return true;
  }
}

function label(row: TreeRow): string {
  return row.kind === 'layer' ? row.layer.name : row.listName;
}
