import type { TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from './lightElement.js';

const STEP = 2;

/**
 * The line between two panes, dragged or moved with arrow keys. Sends `split-changed` with the first
 * pane's share in per cent; double-click or Enter asks for the default (`split-reset`).
 */
@customElement('qs-splitter')
export class Splitter extends LightElement {
  /** The first pane's share of its parent, in per cent. */
  @property({ type: Number }) share = 40;
  @property({ type: Boolean }) stacked = false;
  @property() label = '';
  @property({ type: Number }) min = 15;
  @property({ type: Number }) max = 80;

  override render(): TemplateResult {
    return html`<div
      class="splitter"
      role="separator"
      tabindex="0"
      aria-label=${this.label}
      aria-orientation=${this.stacked ? 'horizontal' : 'vertical'}
      aria-valuemin=${this.min}
      aria-valuemax=${this.max}
      aria-valuenow=${Math.round(this.share)}
      @pointerdown=${this.onPointerDown}
      @keydown=${this.onKeyDown}
      @dblclick=${() => this.emit('split-reset')}
    ></div>`;
  }

  private move(share: number): void {
    this.emit('split-changed', Math.min(this.max, Math.max(this.min, share)));
  }

  private onPointerDown(event: PointerEvent): void {
    const handle = event.currentTarget as HTMLElement;
    const bounds = this.parentElement!.getBoundingClientRect();
    handle.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void =>
      this.move(
        this.stacked
          ? ((move.clientY - bounds.top) / bounds.height) * 100
          : ((move.clientX - bounds.left) / bounds.width) * 100,
      );
    const onEnd = (): void => {
      handle.removeEventListener('pointermove', onMove);
      handle.removeEventListener('lostpointercapture', onEnd);
    };
    handle.addEventListener('pointermove', onMove);
    handle.addEventListener('lostpointercapture', onEnd);
  }

  private onKeyDown(event: KeyboardEvent): void {
    const [less, more] = this.stacked ? ['ArrowUp', 'ArrowDown'] : ['ArrowLeft', 'ArrowRight'];
    if (event.key === less) this.move(this.share - STEP);
    else if (event.key === more) this.move(this.share + STEP);
    else if (event.key === 'Home') this.move(this.min);
    else if (event.key === 'End') this.move(this.max);
    else if (event.key === 'Enter') this.emit('split-reset');
    else return;
    event.preventDefault();
  }
}
