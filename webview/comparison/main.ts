import { registerControls } from '../components/controls.js';
import { applyDataColors } from '../components/theme.js';
import './comparison.css';
import './comparisonPage.js';

function start(): void {
  registerControls();
  applyDataColors();
  document.getElementById('app')?.append(document.createElement('qs-comparison-page'));
}

// The host may place the script before the element it fills.
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
else start();
