/// <reference types="mocha" />
import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';

/**
 * Prints a line a test, since only what reaches the console as one string crosses to whoever
 * started the window, and leaves the counts in a file.
 */
class LineReporter {
  constructor(runner: Mocha.Runner) {
    let suite = '';
    runner.on('test end', (test) => {
      const title = test.parent?.fullTitle() ?? '';
      if (title !== suite) console.log(`  ${title}`);
      suite = title;
      const mark = test.state === 'passed' ? '✓' : test.isPending() ? '-' : '✗';
      console.log(`    ${mark} ${test.title} (${Math.round(test.duration ?? 0)} ms)`);
    });
    runner.on('fail', (test, error) => {
      console.log(`  FAILED ${test.fullTitle()}\n${error?.stack ?? inspect(error)}`);
    });
    runner.on('end', () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      console.log(`  ${passes} passing, ${failures} failing, ${pending} pending`);
      const file = process.env['QUANTSCOPE_TEST_REPORT'];
      const counts = { passed: passes, failed: failures, skipped: pending };
      if (file) writeFileSync(file, JSON.stringify(counts));
    });
  }
}

/** Entry point that VS Code calls in the extension host; rejects when a test failed. */
export async function run(): Promise<void> {
  const { default: MochaRunner } = await import('mocha');
  const mocha = new MochaRunner({
    ui: 'tdd',
    timeout: 60_000,
    reporter: LineReporter as unknown as Mocha.ReporterConstructor,
    forbidOnly: Boolean(process.env['CI']),
  });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  // Before the extension makes its channel.
  await import('./recordedLog.js');
  await import('./suites/activation.js');
  await import('./suites/backend.js');
  await import('./suites/editor.js');
  await import('./suites/quantize.js');
  await import('./suites/compareWith.js');
  await import('./suites/perplexity.js');
  await import('./suites/virtual.js');
  await import('./suites/pages.js');
  await new Promise<void>((resolve, reject) => {
    mocha.run((failures) =>
      failures === 0 ? resolve() : reject(new Error(`${failures} tests failed`)),
    );
  });
}
