// Bundles test/host for the debugger; see .vscode/tasks.json.
import { bundleHostTests } from './lib/hostTests.mjs';

await bundleHostTests();
