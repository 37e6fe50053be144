import type { ComparisonState } from '../../src/reports/comparisonPage.js';
import type { EditorState, TensorDetails as Details } from '../../src/reports/editorPage.js';
import type { EditorHostApi } from '../../src/reports/editorPage.js';

// The pages see the rooms behind the protocol only through its contracts.
export type Checkpoint = EditorState['checkpoint'];
export type Tensor = Checkpoint['tensors'][number];
export type LayerReport = Checkpoint['layers'][number];
export type TensorDetails = Details;
export type Statistics = Details['statistics'];
export type Histogram = Details['histogram'];
export type GroupRanges = Awaited<ReturnType<EditorHostApi['groupRanges']>>;
export type GroupRangeColumn = GroupRanges['columns'][number];
export type Asymmetry = GroupRanges['asymmetry'];

export type ComparisonReport = NonNullable<ComparisonState['report']>;
export type FormatComparison = ComparisonReport['formats'][number];
export type Perplexity = NonNullable<FormatComparison['perplexity']>;
export type CalibrationFinding = NonNullable<FormatComparison['calibration']>['findings'][number];
export type LayerComparison = FormatComparison['layers'][number];
export type TensorComparison = FormatComparison['tensors'][number];
