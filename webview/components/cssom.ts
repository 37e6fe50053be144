import { noChange } from 'lit';
import type { ElementPart, PartInfo } from 'lit/directive.js';
import { Directive, directive, PartType } from 'lit/directive.js';

export type CssProperties = Readonly<Record<string, string | undefined>>;

/**
 * Sets CSS properties on the element it stands in: `<div ${css({ top: '4px' })}>`. Goes through the
 * object model, because the page's policy refuses style attributes.
 */
class CssDirective extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('css() belongs among the attributes');
  }

  render(_properties: CssProperties): unknown {
    return noChange;
  }

  override update(part: ElementPart, [properties]: [CssProperties]): unknown {
    const { style } = part.element as HTMLElement;
    for (const [name, value] of Object.entries(properties)) style.setProperty(name, value ?? '');
    return noChange;
  }
}

export const css = directive(CssDirective);
