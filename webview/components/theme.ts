/** Colours and fonts of VS Code's current theme, resolved for charts that need actual values. */
export interface Theme {
  /** No fills carry meaning: outlines, patterns and words do. */
  readonly highContrast: boolean;
  readonly background: string;
  readonly foreground: string;
  /** Labels and axes. */
  readonly secondary: string;
  readonly axis: string;
  readonly grid: string;
  /** Positive weights. */
  readonly positive: string;
  /** Negative weights. */
  readonly negative: string;
  /** The same, quieter, for areas. */
  readonly positiveFill: string;
  readonly negativeFill: string;
  /** Hues for kinds of series beside those two. */
  readonly purple: string;
  readonly green: string;
  readonly yellow: string;
  readonly fontFamily: string;
  /** CSS pixels. */
  readonly fontSize: number;
}

/** Reads the theme from the CSS variables that VS Code sets on the page. */
export function readTheme(): Theme {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const styles = getComputedStyle(probe);
  const resolve = (names: readonly string[]): string => {
    // A declaration whose variables are all missing leaves the inherited colour: the foreground.
    const value = names.reduceRight(
      (rest, name) => `var(--vscode-${name}${rest && `, ${rest}`})`,
      '',
    );
    probe.style.color = '';
    probe.style.setProperty('color', value);
    return styles.color;
  };
  const highContrast = /\bvscode-high-contrast/.test(document.body.className);
  const foreground = resolve(['charts-foreground', 'foreground']);
  const secondary = highContrast ? foreground : resolve(['descriptionForeground', 'foreground']);
  const positive = opaque(resolve(['charts-blue', 'textLink-foreground']));
  // Some themes define their orange as a translucent highlight, or not at all.
  const negative = opaque(resolve(['charts-orange', 'charts-yellow', 'editorWarning-foreground']));
  const area = (color: string): string => (highContrast ? color : withAlpha(color, 0.78));
  const theme: Theme = {
    highContrast,
    foreground,
    secondary,
    background: resolve(['editor-background']),
    axis: highContrast ? resolve(['contrastBorder', 'foreground']) : withAlpha(foreground, 0.5),
    grid: withAlpha(foreground, highContrast ? 0.3 : 0.14),
    positive,
    negative,
    positiveFill: area(positive),
    negativeFill: area(negative),
    purple: resolve(['charts-purple', 'foreground']),
    green: resolve(['charts-green', 'foreground']),
    yellow: resolve(['charts-yellow', 'foreground']),
    fontFamily: getComputedStyle(document.body).fontFamily,
    fontSize: Math.max(10, parseFloat(getComputedStyle(document.body).fontSize) - 2),
  };
  probe.remove();
  return theme;
}

/** `color` as computed style gives it ("rgb(…)" or "rgba(…)") with its opacity multiplied. */
export function withAlpha(color: string, alpha: number): string {
  const parts = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(color);
  if (!parts) return color;
  const opacity = alpha * (parts[4] === undefined ? 1 : Number(parts[4]));
  return `rgba(${parts[1]}, ${parts[2]}, ${parts[3]}, ${Math.round(opacity * 1000) / 1000})`;
}

function opaque(color: string): string {
  return color.replace(/^rgba\((.*), [\d.]+\)$/, 'rgb($1)');
}

/** Gives style sheets the data colours that charts use, as `--positive` and `--negative`. */
export function applyDataColors(): void {
  const apply = (): void => {
    const { positive, negative } = readTheme();
    document.body.style.setProperty('--positive', positive);
    document.body.style.setProperty('--negative', negative);
  };
  apply();
  onThemeChange(apply);
}

const listeners = new Set<() => void>();
let observer: MutationObserver | undefined;
let frame = 0;

/** Calls back, once per frame at most, after VS Code changed its theme; returns how to stop. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  if (!observer) {
    observer = new MutationObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => listeners.forEach((notify) => notify()));
    });
    observer.observe(document.body, { attributeFilter: ['class', 'data-vscode-theme-id'] });
    observer.observe(document.documentElement, { attributeFilter: ['style'] });
  }
  return () => listeners.delete(listener);
}
