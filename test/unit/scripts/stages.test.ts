import { expect, it, vi } from 'vitest';
import { runNode } from '../../../scripts/lib/process.mjs';
import { runTogether } from '../../../scripts/lib/stages.mjs';

/** Runs stages, each a line of JavaScript in a process of its own; gives the result and what was printed. */
async function run(programs: Readonly<Record<string, string>>) {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  const stages = Object.entries(programs).map(([name, program]) => ({
    name,
    work: (options: Parameters<typeof runNode>[1]) => runNode(['-e', program], options),
  }));
  try {
    const passed = await runTogether(stages, 2);
    return { passed, printed };
  } finally {
    write.mockRestore();
  }
}

it('keeps together what each of several stages prints', async () => {
  const { passed, printed } = await run({
    one: "console.log('1a'); setTimeout(() => console.log('1b'), 20)",
    two: "console.log('2a'); setTimeout(() => console.log('2b'), 20)",
  });
  expect(passed).toBe(true);
  expect(printed).toMatch(/=== one\n1a\n1b\n=== one: \d/);
  expect(printed).toMatch(/=== two\n2a\n2b\n=== two: \d/);
});

it('ends what runs, and begins nothing more, after the first failure', async () => {
  const { passed, printed } = await run({
    bad: "console.log('why'); process.exit(3)",
    endless: 'setInterval(() => undefined, 1000)',
    later: '',
  });
  expect(passed).toBe(false);
  expect(printed).toMatch(/=== bad\nwhy\n.*\(exit code 3\)\n=== bad: FAILED after/);
  expect(printed).not.toMatch(/=== (endless|later): \d|=== later/);
});
