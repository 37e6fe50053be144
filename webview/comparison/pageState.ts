import type { CalibrationView } from './calibrationSection.js';
import { DEFAULT_CALIBRATION_VIEW } from './calibrationSection.js';
import type { LayerView } from './layerBars.js';
import { DEFAULT_LAYER_VIEW } from './layerBars.js';
import type { Sorting } from './sorting.js';
import type { GridView } from './tensorSection.js';
import type { TraitView } from './traits.js';
import { EVERYTHING } from './traits.js';

/** What the page is rebuilt from after VS Code destroyed it. */
export interface PageState extends GridView {
  readonly traits: TraitView;
  readonly calibration: CalibrationView;
  /** What the host finds the comparison by when it restores the panel. */
  readonly id?: string;
  readonly sorting?: Sorting;
  readonly layers: LayerView;
  readonly paretoAsTable: boolean;
  readonly lengthAsTable: boolean;
  readonly scroll: number;
}

/** A page that was never changed. */
export const FRESH_PAGE: PageState = {
  layers: DEFAULT_LAYER_VIEW,
  paretoAsTable: false,
  lengthAsTable: false,
  traits: EVERYTHING,
  calibration: DEFAULT_CALIBRATION_VIEW,
  gridMeasure: 'sqnrDb',
  gridFlat: false,
  expanded: [],
  scroll: 0,
};
