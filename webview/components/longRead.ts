import type { ReactiveController, ReactiveControllerHost, TemplateResult } from 'lit';
import { html } from 'lit';
import type { CallOptions, Progress } from '../../src/rpc/rpc.js';
import { isCancelled } from '../../src/rpc/rpc.js';
import './messageBar.js';
import './progressStrip.js';

type State<Value> =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly progress?: Progress; readonly cancelling?: boolean }
  | { readonly kind: 'done'; readonly value: Value }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly message: string };

/** One read from the host at a time, with its progress, for an element that shows its outcome. */
export class LongRead<Value> implements ReactiveController {
  private current: State<Value> = { kind: 'idle' };
  private abort?: AbortController;
  private last?: (options: CallOptions) => Promise<Value>;

  constructor(private readonly element: ReactiveControllerHost) {
    element.addController(this);
  }

  hostDisconnected(): void {
    this.abort?.abort();
  }

  get state(): State<Value> {
    return this.current;
  }

  get value(): Value | undefined {
    return this.current.kind === 'done' ? this.current.value : undefined;
  }

  /** Starts a read; one still under way is cancelled and its outcome ignored. */
  async start(read: (options: CallOptions) => Promise<Value>): Promise<void> {
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.last = read;
    const set = (state: State<Value>): void => {
      if (this.abort !== abort) return;
      this.current = state;
      this.element.requestUpdate();
    };
    set({ kind: 'running' });
    try {
      const onProgress = (progress: Progress): void => {
        if (this.current.kind === 'running') set({ ...this.current, progress });
      };
      set({ kind: 'done', value: await read({ signal: abort.signal, onProgress }) });
    } catch (error) {
      if (isCancelled(error)) set({ kind: 'cancelled' });
      else set({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Does the last read again. */
  retry(): void {
    if (this.last) void this.start(this.last);
  }

  /** Asks the host to stop; the outcome arrives as "cancelled". */
  cancel(): void {
    if (this.current.kind !== 'running') return;
    this.current = { ...this.current, cancelling: true };
    this.element.requestUpdate();
    this.abort?.abort();
  }

  /** Forgets the outcome. */
  clear(): void {
    this.abort?.abort();
    this.abort = undefined;
    this.current = { kind: 'idle' };
  }

  /** The place of the outcome while there is none: progress, "cancelled" with Retry, or the error. */
  renderWaiting(label: string, copy: (text: string) => void): TemplateResult {
    const { state } = this;
    if (state.kind === 'running') {
      return html`<qs-progress-strip
        class="reading"
        .label=${label}
        .progress=${state.progress}
        .cancelling=${state.cancelling === true}
        @cancel-work=${() => this.cancel()}
      ></qs-progress-strip>`;
    }
    if (state.kind === 'cancelled') {
      return html`<qs-message-bar
        .text=${'Cancelled.'}
        .actions=${[{ label: 'Retry', run: () => this.retry() }]}
      ></qs-message-bar>`;
    }
    if (state.kind === 'failed') {
      return html`<qs-message-bar
        kind="error"
        .text=${state.message}
        .actions=${[
          { label: 'Retry', run: () => this.retry() },
          { label: 'Copy', run: () => copy(state.message) },
        ]}
      ></qs-message-bar>`;
    }
    return html``;
  }
}
