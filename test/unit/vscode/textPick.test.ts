import { expect, it, vi } from 'vitest';
vi.mock('vscode', () => ({ l10n: {} }));
it('x', async () => {
  const m = await import('../../../src/vscode/picks/textPick.js');
  expect(m.pickText).toBeDefined();
});
