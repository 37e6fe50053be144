import { describeError } from '../storage/describeError.js';

/** Where warnings go. */
interface WarningStream {
  write(text: string): unknown;
}

/** Warnings that are shown, of however many; a hostile file may give reason for a million. */
const MOST_WARNINGS = 20;

/** Warnings on standard error: each text once, and only so many of them. */
export class Warnings {
  private readonly shown = new Set<string>();
  private left = 0;

  constructor(private readonly stream: WarningStream) {}

  add(message: string): void {
    const line = describeError(message);
    if (this.shown.has(line)) return;
    if (this.shown.size === MOST_WARNINGS) {
      this.left++;
      return;
    }
    this.shown.add(line);
    this.stream.write(`quantscope: warning: ${line}\n`);
  }

  /** Says how many were left out. */
  end(): void {
    if (this.left === 0) return;
    const what = this.left === 1 ? 'warning is' : 'warnings are';
    this.stream.write(`quantscope: ${this.left} more ${what} not shown\n`);
    this.left = 0;
  }
}
