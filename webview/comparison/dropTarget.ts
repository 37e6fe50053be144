import type { DroppedText } from '../../src/reports/comparisonPage.js';
import { MAX_DROPPED_CHARACTERS } from '../../src/reports/pageLimits.js';

/** Kinds of data that name files, the best first. Drags from VS Code carry its own kind. */
const URI_LISTS = ['application/vnd.code.uri-list', 'text/uri-list'];

/** What a drop leads to. */
export interface DropHandlers {
  /** False while nothing can be dropped. */
  accepts(): boolean;
  /** Something that may be a text is, or is no longer, over the page. */
  dragging(over: boolean): void;
  dropped(text: DroppedText): void;
  /** One line that says why something dropped is not taken. */
  refused(reason: string): void;
}

/**
 * A text file dropped anywhere on the page. VS Code hands drags to a page while Shift is held;
 * files from the operating system have no path there, so that their text itself is sent.
 */
export class DropTarget {
  /** Elements that the drag has entered and not left. */
  private depth = 0;

  constructor(private readonly handlers: DropHandlers) {}

  connect(): void {
    for (const [type, listener] of this.listeners) document.addEventListener(type, listener);
  }

  disconnect(): void {
    for (const [type, listener] of this.listeners) document.removeEventListener(type, listener);
  }

  private readonly listeners: readonly (readonly [
    'dragenter' | 'dragover' | 'dragleave' | 'drop',
    (event: DragEvent) => void,
  ])[] = [
    ['dragenter', (event) => this.onEnter(event)],
    ['dragover', (event) => this.onOver(event)],
    ['dragleave', (event) => this.onLeave(event)],
    ['drop', (event) => void this.onDrop(event)],
  ];

  private canTake({ dataTransfer }: DragEvent): boolean {
    const types = dataTransfer?.types ?? [];
    return this.handlers.accepts() && ['Files', ...URI_LISTS].some((type) => types.includes(type));
  }

  private onEnter(event: DragEvent): void {
    if (!this.canTake(event)) return;
    event.preventDefault();
    if (this.depth++ === 0) this.handlers.dragging(true);
  }

  private onOver(event: DragEvent): void {
    if (!this.canTake(event)) return;
    event.preventDefault();
    event.dataTransfer!.dropEffect = 'copy';
  }

  private onLeave(event: DragEvent): void {
    if (this.depth === 0 || !this.canTake(event)) return;
    if (--this.depth === 0) this.handlers.dragging(false);
  }

  private async onDrop(event: DragEvent): Promise<void> {
    const takes = this.canTake(event);
    this.depth = 0;
    this.handlers.dragging(false);
    if (!takes) return;
    event.preventDefault();
    event.stopPropagation();
    const { dropped, refused } = this.handlers;
    // Before anything is awaited: the data is gone when the event is over.
    const uris = urisOf(event.dataTransfer!);
    const files = [...event.dataTransfer!.files];
    if (uris.length + (uris.length ? 0 : files.length) > 1) {
      refused('Drop one text file: perplexity is measured on one text.');
    } else if (uris.length === 1) {
      dropped({ uri: uris[0] });
    } else if (files.length === 1) {
      const text = await textOf(files[0]);
      if ('reason' in text) refused(text.reason);
      else dropped(text);
    } else {
      refused('What was dropped is not a file.');
    }
  }
}

function urisOf(data: DataTransfer): string[] {
  for (const type of URI_LISTS) {
    const uris = data
      .getData(type)
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#'));
    if (uris.length > 0) return uris;
  }
  return [];
}

async function textOf(
  file: File,
): Promise<{ readonly name: string; readonly content: string } | { readonly reason: string }> {
  const { name } = file;
  if (file.size > MAX_DROPPED_CHARACTERS) {
    const most = MAX_DROPPED_CHARACTERS / 1024 ** 2;
    return {
      reason: `${name} is larger than ${most} MB: choose it with Measure Perplexity… instead.`,
    };
  }
  try {
    const bytes = await file.arrayBuffer();
    return { name, content: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    const reason =
      error instanceof TypeError ? 'this is not UTF-8 text' : 'this file cannot be read';
    return { reason: `${name}: ${reason}` };
  }
}
