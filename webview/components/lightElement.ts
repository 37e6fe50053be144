import { LitElement } from 'lit';

/**
 * Base of our elements: they render into the page itself, without a shadow root. VS Code looks for
 * `data-vscode-context` upwards from the event target, which a shadow root would hide; ids that ARIA
 * attributes name must be in one tree too.
 */
export abstract class LightElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Sends a bubbling event that carries `detail`. */
  protected emit<Detail>(type: string, detail?: Detail): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }
}
